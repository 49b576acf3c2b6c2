// @ts-check
/** Tabs and their panels. Which one is shown stands in the address, behind `#`. */

import { element } from "./dom.js";

export class Tabs {
  /** @param {[name: string, label: string, panel: HTMLElement, shown: () => void][]} tabs */
  constructor(tabs) {
    this.tabs = tabs.map(([name, label, content, shown]) => ({
      name, shown,
      tab: element("button", {
        type: "button", role: "tab", id: `tab-${name}`, test: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => this.select(name),
      }, label),
      panel: element("div.panel", { role: "tabpanel", id: `panel-${name}`, test: `panel-${name}`, "aria-labelledby": `tab-${name}` }, content),
    }));
    this.element = element("div.tabs", {},
      element("div.tab-list", { role: "tablist", "aria-label": "Parts", onkeydown: (event) => this.key(/** @type {KeyboardEvent} */ (event)) },
        ...this.tabs.map((each) => each.tab)),
      ...this.tabs.map((each) => each.panel));
    const wanted = location.hash.slice(1);
    this.current = "";
    this.select(this.tabs.some((each) => each.name === wanted) ? wanted : this.tabs[0].name);
  }

  /** @param {string} name */
  select(name) {
    if (name === this.current) return;
    const isFirst = this.current === "";
    this.current = name;
    for (const each of this.tabs) {
      const isSelected = each.name === name;
      each.tab.setAttribute("aria-selected", String(isSelected));
      each.tab.setAttribute("tabindex", isSelected ? "0" : "-1");
      each.panel.hidden = !isSelected;
    }
    if (!isFirst) {
      history.replaceState(null, "", `#${name}`);
      this.reveal();
    }
    queueMicrotask(() => this.tabs.find((each) => each.name === name)?.shown());
  }

  /** Where there is no room for all tabs, scroll to the one that is selected. */
  reveal() {
    this.tabs.find((each) => each.name === this.current)?.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = this.tabs.findIndex((each) => each.name === this.current);
    const next = this.tabs[(place + step + this.tabs.length) % this.tabs.length];
    event.preventDefault();
    this.select(next.name);
    next.tab.focus();
  }
}

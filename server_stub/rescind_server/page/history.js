// @ts-check
/** The history of an execution, the newest first: what is recorded, and nothing else. */

import { button, element, fill, foreign } from "./dom.js";
import { time } from "./words.js";

const SHOWN = 300;

export class HistoryList {
  /** @param {import("./timeline_model.js").TimelineModel} model */
  constructor(model) {
    this.model = model;
    this.drawn = 0;
    this.most = SHOWN;
    this.body = element("tbody");
    this.more = button("", "history-more", () => { this.most *= 4; this.redraw(); }, { class: "link" });
    this.element = element("div", {}, element("div.scroll-x", { tabindex: "0", role: "region", "aria-label": "History" },
      element("table.history", {}, element("caption.hidden", {}, "History, the newest first"),
        element("thead", {}, element("tr", {}, ...["№", "When", "What", "Task", "Details"].map((each) => element("th", { scope: "col" }, each)))), this.body)), this.more);
  }

  changed() {
    if (this.element.offsetParent !== null) this.shown();
  }

  shown() {
    const events = this.model.events;
    const fresh = events.slice(Math.max(this.drawn, events.length - this.most));
    this.drawn = events.length;
    this.body.prepend(...fresh.reverse().map((event) => this.row(event)));
    while (this.body.childElementCount > this.most) this.body.lastElementChild?.remove();
    const rest = events.length - this.body.childElementCount;
    this.more.hidden = rest <= 0;
    this.more.textContent = `show more (${rest.toLocaleString("en")} older events)`;
  }

  redraw() {
    this.drawn = 0;
    fill(this.body);
    this.shown();
  }

  /** @param {import("./timeline_model.js").HistoryEvent} event */
  row(event) {
    const name = event.task_id ? this.model.byKey.get(`task ${event.task_id}`)?.name ?? "task" : "";
    const details = Object.entries(event.details ?? {}).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`).join("  ");
    return element("tr", { test: "history-event", "data-sequence": event.sequence, "data-type": event.type },
      element("td.number", {}, event.sequence), element("td", {}, time(event.at)), element("td.mono", {}, event.type),
      element("td", { title: event.task_id ?? "" }, foreign(name, 100), event.attempt ? ` #${event.attempt}` : ""), element("td.mono", {}, foreign(details, 500)));
  }
}

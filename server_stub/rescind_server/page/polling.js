// @ts-check
/**
 * Views of what has no events of its own: read again when executions change, and now and then. They are drawn anew each
 * time, around whoever reads them: the keyboard and what was scrolled to stay where they are.
 */

import { get } from "./api.js";
import { button, element, fill } from "./dom.js";
import { Stream } from "./stream.js";

const LEAST_MS = 1_000;
const MOST_MS = 15_000;

/**
 * Read and show something for as long as the view is there.
 * @param {import("./main.js").Frame} frame
 * @param {HTMLElement} place where it is shown
 * @param {() => [path: string, query: Record<string, string | number>]} asked
 * @param {(answer: any) => void} show
 * @returns {{again: () => void, end: () => void}}
 */
export function reading(frame, place, asked, show) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isOver = false;
  let readAt = 0;
  let number = 0;

  async function read() {
    clearTimeout(timer);
    readAt = performance.now();
    const own = number += 1;
    try {
      const [path, query] = asked();
      const answer = await get(path, query);
      if (isOver || own !== number) return;
      const goOn = standing(place);
      show(answer);
      goOn();
    } catch (error) {
      if (isOver || own !== number) return;
      fill(place, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", read)));
    }
    frame.ready();
    timer = setTimeout(read, MOST_MS);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(read, Math.max(50, readAt + LEAST_MS - performance.now()));
  }

  fill(place, element("p.state", { test: "loading" }, "Loading…"));
  const stream = new Stream("/api/v1/events", soon, frame.connection);
  read();
  return { again: read, end: () => { isOver = true; clearTimeout(timer); stream.close(); } };
}

/**
 * A table that scrolls sideways where there is little room, and whose rows are stacks where there is very little.
 * @param {string} label what is in it
 * @param {string[]} columns
 * @param {HTMLElement[]} rows
 * @returns {HTMLElement}
 */
export function stackingTable(label, columns, rows) {
  return element("div.scroll-x", { tabindex: "0", role: "region", "aria-label": label },
    element("table.stacking", { role: "table", "aria-label": label },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...columns.map((each) => element("th", { scope: "col", role: "columnheader" }, each)))),
      element("tbody", { role: "rowgroup" }, ...rows.map((row) => stackingRow(columns, row)))));
}

/**
 * @param {string[]} columns
 * @param {HTMLElement} row whose cells are told what they are, for where they stand below each other
 */
export function stackingRow(columns, row) {
  row.setAttribute("role", "row");
  [...row.children].forEach((cell, place) => {
    cell.setAttribute("data-column", columns[place]);
    // A browser forgets what a cell is that does not look like one.
    cell.setAttribute("role", cell.matches("th") ? "rowheader" : "cell");
  });
  return row;
}

const REACHED = "a, button, [tabindex]";

/**
 * Note where the keyboard is, and how far the regions are scrolled.
 * @param {HTMLElement} place
 * @returns {() => void} brings them there again, after the place was drawn anew
 */
function standing(place) {
  const regions = /** @returns {HTMLElement[]} */ () => [...place.querySelectorAll(".scroll-x")].filter((each) => each instanceof HTMLElement);
  const scrolled = new Map(regions().map((each) => [each.ariaLabel, each.scrollLeft]));
  const focused = document.activeElement instanceof HTMLElement && place.contains(document.activeElement) ? document.activeElement : null;
  const name = focused && nameOf(focused);
  const turn = focused ? named(place, name).indexOf(focused) : -1;
  return () => {
    for (const each of regions()) each.scrollLeft = scrolled.get(each.ariaLabel) ?? 0;
    if (!focused || focused.isConnected) return;
    const found = named(place, name);
    (found[turn] ?? found[0])?.focus({ preventScroll: true });
  };
}

/**
 * @param {HTMLElement} place
 * @param {string | null} name
 * @returns {HTMLElement[]} what can have the keyboard, by that name
 */
function named(place, name) {
  return [...place.querySelectorAll(REACHED)].filter((each) => each instanceof HTMLElement).filter((each) => nameOf(each) === name);
}

/** @param {HTMLElement} reached what says which one it is, also after it was drawn anew */
function nameOf(reached) {
  const row = reached.closest("tr");
  return JSON.stringify([row?.dataset.id, reached.dataset.testid, reached.getAttribute("href"), reached.ariaLabel]);
}

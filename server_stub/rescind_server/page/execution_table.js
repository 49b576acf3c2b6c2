// @ts-check
/** The table of executions. A row is changed in place; none moves while it is looked at. */

import { element, fill, foreign } from "./dom.js";
import { duration, instant, now, shownStatus, standingBadge, time } from "./words.js";

/**
 * @typedef {{execution_id: string, kind: string, queue: string, status: string, cause: {source: string, by: string, reason: string | null} | null,
 *   parked: string | null, labels: Record<string, string>, created_by: string, created_at: string, ended_at: string | null,
 *   stopping: number | null, children_stopping?: number | null}} Listed
 */

const COLUMNS = ["Status", "Id", "Kind", "Queue", "Labels", "Creator", "Started", "Took"];

export class ExecutionTable {
  /**
   * @param {boolean} selects whether rows can be selected
   * @param {() => void} onSelection told when what is selected changes
   */
  constructor(selects, onSelection) {
    this.selects = selects;
    this.onSelection = onSelection;
    /** @type {Map<string, {listed: Listed, row: HTMLTableRowElement}>} */
    this.rows = new Map();
    /** @type {Set<string>} */
    this.selected = new Set();
    this.body = /** @type {HTMLTableSectionElement} */ (element("tbody"));
    this.page = /** @type {HTMLInputElement} */ (element("input", {
      type: "checkbox", test: "select-page", "aria-label": "Select all rows", onchange: () => this.selectPage(this.page.checked),
    }));
    this.element = element("div.scroll-x", {},
      element("table.executions", { test: "executions-table" },
        element("caption.hidden", {}, "Executions, the newest first"),
        element("thead", {}, element("tr", {},
          selects && element("th.check", { scope: "col" }, this.page),
          ...COLUMNS.map((name) => element(`th.column-${name.toLowerCase()}`, { scope: "col" }, name)))),
        this.body));
  }

  /** @param {Listed[]} executions */
  show(executions) {
    const kept = new Set(executions.map((each) => each.execution_id));
    for (const id of [...this.selected]) if (!kept.has(id)) this.selected.delete(id);
    this.rows.clear();
    fill(this.body, ...executions.map((each) => this.made(each)));
    this.told();
  }

  /**
   * Where the server lists it: the newest first, and of those that were started at once the one that came later.
   * @param {Listed} listed
   */
  insert(listed) {
    const at = instant(listed.created_at);
    const before = [...this.body.rows].find((row) => instant(this.rows.get(row.dataset.id ?? "")?.listed.created_at) <= at);
    this.body.insertBefore(this.made(listed), before ?? null);
  }

  /**
   * @param {Listed} listed
   * @param {boolean} fits whether the filter still selects it
   */
  update(listed, fits) {
    const known = this.rows.get(listed.execution_id);
    if (!known) return;
    known.listed = listed;
    this.draw(known.row, listed);
    known.row.classList.toggle("left", !fits);
  }

  /** @returns {Listed | null} */
  oldest() {
    const id = /** @type {HTMLTableRowElement | null} */ (this.body.lastElementChild)?.dataset.id;
    return this.rows.get(id ?? "")?.listed ?? null;
  }

  isWholePage() {
    return this.rows.size > 0 && this.selected.size === this.rows.size;
  }

  clearSelection() {
    this.selectPage(false);
  }

  /** @param {boolean} isSelected */
  selectPage(isSelected) {
    this.selected = new Set(isSelected ? this.rows.keys() : []);
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.body.querySelectorAll("input"))) box.checked = isSelected;
    this.told();
  }

  told() {
    this.page.checked = this.isWholePage();
    this.page.indeterminate = this.selected.size > 0 && !this.page.checked;
    this.onSelection();
  }

  /** Let the durations of what is open go on. */
  tick() {
    for (const { listed, row } of this.rows.values()) {
      if (listed.ended_at !== null) continue;
      const cell = row.lastElementChild;
      if (cell) cell.textContent = duration(now() - instant(listed.created_at));
    }
  }

  /** @param {Listed} listed */
  made(listed) {
    const row = /** @type {HTMLTableRowElement} */ (element("tr", { test: "execution-row" }));
    this.rows.set(listed.execution_id, { listed, row });
    this.draw(row, listed);
    return row;
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {Listed} listed
   */
  draw(row, listed) {
    row.dataset.id = listed.execution_id;
    row.dataset.status = listed.status;
    const shown = shownStatus(listed);
    if (shown === "STOPPING") row.dataset.stopping = "true";
    else delete row.dataset.stopping;
    const cells = [
      element("td", {}, standingBadge(listed), cause(listed)),
      element("td.id", {}, element("a", { href: `/page/executions/${encodeURIComponent(listed.execution_id)}` }, foreign(listed.execution_id, 200)),
        element("span.sub.narrow", {}, foreign(listed.kind, 100))),
      element("td.column-kind", {}, foreign(listed.kind, 100)),
      element("td.column-queue", {}, foreign(listed.queue, 100)),
      element("td.column-labels", {}, ...Object.entries(listed.labels).slice(0, 5).map(([name, value]) => element("span.label", {}, foreign(`${name}=${value}`, 60)))),
      element("td.column-creator", {}, foreign(listed.created_by, 100)),
      element("td.column-started", {}, time(listed.created_at)),
      element("td.column-took", {}, duration((listed.ended_at === null ? now() : instant(listed.ended_at)) - instant(listed.created_at))),
    ];
    const drawn = [...row.querySelectorAll("td:not(.check)")];
    if (!drawn.length) return fill(row, this.selects && element("td.check", {}, this.box(listed.execution_id)), ...cells);
    // What is about to be ticked or followed stays the same element, and so does all that shows the same.
    cells.forEach((cell, place) => {
      if (!cell.matches(".id") && !cell.isEqualNode(drawn[place])) drawn[place].replaceWith(cell);
    });
  }

  /** @param {string} id */
  box(id) {
    const box = /** @type {HTMLInputElement} */ (element("input", {
      type: "checkbox", test: "select-row", "aria-label": `Select ${id}`, onchange: () => {
        if (box.checked) this.selected.add(id);
        else this.selected.delete(id);
        this.told();
      },
    }));
    box.checked = this.selected.has(id);
    return box;
  }
}

/** @param {Listed} listed */
function cause(listed) {
  if (listed.cause === null) return null;
  const words = [listed.cause.source.toLowerCase().replaceAll("_", " "), listed.cause.reason].filter(Boolean).join(": ");
  return element("span.cause", {}, foreign(words, 120));
}

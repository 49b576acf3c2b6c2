// @ts-check
/** The list of executions: live, filtered, in pages that stay as they are; and the cancelling of many. */

import { get, queryOf } from "./api.js";
import { button, element, fill } from "./dom.js";
import { cancelMany, OPEN } from "./cancel_many.js";
import { ageInMs, filterBar, FILTERS, STATUSES } from "./filters.js";
import { ExecutionTable } from "./execution_table.js";
import { Stream } from "./stream.js";
import { inWords, instant, now, signOf } from "./words.js";

/** @typedef {import("./main.js").Frame} Frame */
/** @typedef {import("./execution_table.js").Listed} Listed */

const PAGE = 100;
const MOST_ROWS = 300;

/**
 * @param {Frame} frame
 * @returns {() => void}
 */
export function executionsView(frame) {
  return new ExecutionList(frame).end;
}

class ExecutionList {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    /** @type {Record<string, string>} */
    this.filters = Object.fromEntries(FILTERS.map((name) => [name, frame.query.get(name) ?? ""]));
    /** @type {Set<string>} */
    this.statuses = new Set(frame.query.getAll("status"));
    this.pageToken = frame.query.get("page_token") ?? "";
    this.nextToken = "";
    this.total = 0;
    this.selectsAll = false;
    /** When the newest execution was started that this page has heard of, in milliseconds since 1970; 0: not known. */
    this.newest = 0;
    /** @type {Map<string, Listed>} */
    this.pending = new Map();
    this.loading = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.countTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.filterTimer = undefined;
    this.countCost = 0;
    /** @type {Stream | null} */
    this.stream = null;
    this.table = new ExecutionTable(frame.mayAct, () => this.selectionChanged());
    this.counts = element("div.counts", { role: "group", "aria-label": "Status" });
    this.note = element("div", { "aria-live": "polite" });
    this.selection = element("div.selection", { role: "group", "aria-label": "Selection" });
    this.newer = button("", "new-executions", () => this.showPending(), { hidden: true, class: "newer" });
    this.next = button("older →", "next-page", () => this.turn(this.nextToken), { disabled: true });
    this.first = button("⇤ newest", "first-page", () => this.turn(""), { disabled: true });
    frame.title("Executions");
    fill(frame.place,
      element("h1.hidden", {}, "Executions"),
      filterBar(this.filters, () => this.filtersChanged()),
      this.counts, this.selection, this.newer, this.table.element, this.note,
      element("div.pager", {}, this.first, this.next));
    this.drawCounts({});
    this.selectionChanged();
    this.clock = setInterval(() => this.table.tick(), 1_000);
    this.end = () => {
      this.stream?.close();
      this.loading.abort();
      clearInterval(this.clock);
      clearTimeout(this.countTimer);
      clearTimeout(this.filterTimer);
    };
    this.follow();
  }

  /** What selects, without the status: it is that which changes. */
  marks() {
    return {
      kind: this.filters.kind, queue: this.filters.queue, created_by: this.filters.created_by,
      id_prefix: this.filters.id, label: this.filters.label.includes("=") ? this.filters.label : "",
    };
  }

  createdAfter() {
    const age = ageInMs(this.filters.age);
    return age === null ? null : new Date(now() - age).toISOString();
  }

  follow() {
    this.stream?.close();
    this.stream = new Stream(`/api/v1/events${queryOf(this.marks())}`, (events) => this.take(events), this.frame.connection);
  }

  filtersChanged() {
    clearTimeout(this.filterTimer);
    this.filterTimer = setTimeout(() => {
      this.pageToken = "";
      this.table.clearSelection();
      this.writeAddress();
      this.follow();
    }, 200);
  }

  writeAddress() {
    const query = queryOf({ status: [...this.statuses], ...this.filters, page_token: this.pageToken });
    history.replaceState(null, "", `/page/executions${query}`);
  }

  /** @param {string} token */
  turn(token) {
    this.pageToken = token;
    this.table.clearSelection();
    this.writeAddress();
    this.load();
    scrollTo(0, 0);
  }

  async load() {
    this.loading.abort();
    const loading = this.loading = new AbortController();
    if (!this.table.rows.size) fill(this.note, element("p.state", { test: "loading" }, "Loading…"));
    try {
      const query = { ...this.marks(), created_after: this.createdAfter(), status: [...this.statuses], page_size: PAGE, page_token: this.pageToken };
      const page = await get("/api/v1/executions", query, loading.signal);
      this.pending.clear();
      this.newer.hidden = true;
      this.nextToken = page.next_page_token;
      this.table.show(page.executions);
      if (!this.pageToken) this.newest = Math.max(this.newest, instant(page.executions[0]?.created_at) || 0);
      this.noteEmptiness();
      this.next.disabled = !this.nextToken;
      this.first.disabled = !this.pageToken;
      this.frame.ready();
      this.countSoon(0);
    } catch (error) {
      if (loading.signal.aborted) return;
      fill(this.note, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", () => this.load())));
      this.frame.ready();
    }
  }

  noteEmptiness() {
    if (this.table.rows.size) return fill(this.note);
    const isFiltered = this.statuses.size > 0 || Object.values(this.filters).some(Boolean);
    fill(this.note, element("p.state", { test: "empty" }, isFiltered
      ? "No execution fits these filters."
      : ["No executions yet. Start one: ", "rescind start KIND"].join("")));
  }

  /** @param {import("./stream.js").StreamEvent[]} events */
  take(events) {
    for (const event of events) {
      if (event.name === "begun" && !event.data.resumed) this.load();
      else if (event.name === "execution") this.change(event.data);
    }
    this.showNewer();
    if (events.some((event) => event.name === "execution")) this.countSoon(300);
  }

  /** @param {Listed} changed */
  change(changed) {
    if (this.newest || !this.pageToken) this.newest = Math.max(this.newest, instant(changed.created_at));
    const fits = this.statuses.size === 0 || this.statuses.has(changed.status);
    if (this.table.rows.has(changed.execution_id)) return this.table.update(changed, fits);
    if (this.pending.has(changed.execution_id)) {
      if (fits) this.pending.set(changed.execution_id, changed);
      else this.pending.delete(changed.execution_id);
      return;
    }
    if (!fits || this.pageToken || !this.belongsHere(changed)) return;
    if (this.isBusy()) this.pending.set(changed.execution_id, changed);
    else this.insert(changed);
  }

  /** @param {Listed} changed */
  belongsHere(changed) {
    const after = this.createdAfter();
    if (after !== null && changed.created_at < after) return false;
    const oldest = this.table.oldest();
    return !this.nextToken || oldest === null || instant(changed.created_at) >= instant(oldest.created_at);
  }

  /** Whether rows must not move now: somebody is about to act on one. */
  isBusy() {
    return this.table.selected.size > 0 || this.table.element.contains(document.activeElement);
  }

  /** @param {Listed} changed */
  insert(changed) {
    this.table.insert(changed);
    if (this.table.rows.size > MOST_ROWS) this.table.dropOldest();
    this.noteEmptiness();
  }

  showNewer() {
    const count = this.pending.size;
    this.newer.hidden = count === 0;
    this.newer.dataset.count = String(count);
    this.newer.textContent = count === 1 ? "1 new execution" : `${count.toLocaleString("en")} new executions`;
  }

  showPending() {
    for (const changed of this.pending.values()) this.insert(changed);
    this.pending.clear();
    this.showNewer();
  }

  /** @param {number} soon in milliseconds */
  countSoon(soon) {
    if (soon === 0) {
      clearTimeout(this.countTimer);
      this.countTimer = undefined;
    }
    // What costs the server more is asked for less often.
    this.countTimer ??= setTimeout(() => this.count(), soon === 0 ? 0 : Math.max(soon, this.countCost * 20));
  }

  async count() {
    const begun = performance.now();
    try {
      const told = await get("/api/v1/counts", { ...this.marks(), created_after: this.createdAfter() }, this.loading.signal);
      this.drawCounts(told.counts, told.total);
    } catch { /* the list tells what is wrong */ }
    this.countCost = performance.now() - begun;
    this.countTimer = undefined;
  }

  /**
   * @param {Record<string, number>} counts
   * @param {number} [total]
   */
  drawCounts(counts, total) {
    this.total = this.statuses.size === 0 ? total ?? 0 : [...this.statuses].reduce((sum, each) => sum + (counts[each] ?? 0), 0);
    if (!this.counts.childElementCount) {
      append(this.counts, ["all", ...STATUSES].map((status) => this.countButton(status)));
    }
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (this.counts.querySelectorAll("button"))) {
      const status = each.dataset.status ?? "all";
      const count = status === "all" ? total : counts[status] ?? (total === undefined ? undefined : 0);
      each.dataset.count = count === undefined ? "" : String(count);
      each.setAttribute("aria-pressed", String(status === "all" ? this.statuses.size === 0 : this.statuses.has(status)));
      const number = each.querySelector(".number");
      if (number) number.textContent = count === undefined ? "" : count.toLocaleString("en");
    }
    if (this.selectsAll) this.selectionChanged();
  }

  /** @param {string} status */
  countButton(status) {
    const sign = status === "all" ? null : element("span.sign", { "aria-hidden": "true" }, signOf(status));
    return element("button.count", {
      type: "button", test: `count-${status}`, "data-status": status, onclick: () => this.toggle(status),
    }, sign, status === "all" ? "all" : inWords(status), element("span.number"));
  }

  /** @param {string} status */
  toggle(status) {
    if (status === "all") this.statuses.clear();
    else if (!this.statuses.delete(status)) this.statuses.add(status);
    this.pageToken = "";
    this.table.clearSelection();
    this.writeAddress();
    for (const each of this.counts.querySelectorAll("button")) {
      const own = each.dataset.status ?? "all";
      each.setAttribute("aria-pressed", String(own === "all" ? this.statuses.size === 0 : this.statuses.has(own)));
    }
    this.load();
  }

  selectionChanged() {
    const count = this.table.selected.size;
    if (!this.table.isWholePage()) this.selectsAll = false;
    this.selection.hidden = !this.frame.mayAct || count === 0;
    if (this.selection.hidden) return fill(this.selection);
    const many = this.selectsAll ? this.total : count;
    fill(this.selection,
      element("span", { test: "selection-count", "data-count": many, role: "status" }, `${many.toLocaleString("en")} selected`),
      button("Cancel…", "bulk-cancel", () => this.cancel(), { class: "danger" }),
      this.table.isWholePage() && !this.selectsAll && this.total > count && button(
        `Select all ${this.total.toLocaleString("en")} that fit`, "select-all-matching",
        () => { this.selectsAll = true; this.selectionChanged(); }, { class: "link" }),
      button("Clear", "clear-selection", () => this.table.clearSelection(), { class: "link" }));
  }

  cancel() {
    const wanted = this.statuses.size ? OPEN.filter((each) => this.statuses.has(each)) : OPEN;
    const [name, ...value] = this.filters.label.split("=");
    cancelMany(this.selectsAll ? {
      where: {
        statuses: wanted,
        ...Object.fromEntries(Object.entries(this.marks()).filter(([key, each]) => each && key !== "label")),
        ...(value.length ? { labels: { [name]: value.join("=") } } : {}),
        created_after: this.createdAfter(),
        // What is started from now on is not hit, whatever this machine's clock says.
        created_before: new Date(this.newest ? Math.floor(this.newest) + 1 : now()).toISOString(),
      },
    } : { ids: [...this.table.selected] }, () => this.table.clearSelection());
  }
}

/**
 * @param {Element} parent
 * @param {Element[]} children
 */
function append(parent, children) {
  parent.append(...children);
}

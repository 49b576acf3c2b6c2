// @ts-check
/** The list of executions: live, filtered, in pages that stay as they are; and the cancelling of many. */

import { get, Problem, queryOf } from "./api.js";
import { button, element, fill } from "./dom.js";
import { cancelMany } from "./cancel_many.js";
import { ageInMs, FilterBar, FILTERS } from "./filters.js";
import { ExecutionTable } from "./execution_table.js";
import { Retry } from "./retry.js";
import { StatusCounts } from "./status_counts.js";
import { Stream } from "./stream.js";
import { instant, now, OPEN } from "./words.js";

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
    /** Those that are applied. @type {Record<string, string>} */
    this.filters = Object.fromEntries(FILTERS.map((name) => [name, frame.query.get(name) ?? ""]));
    /** @type {Set<string>} */
    this.statuses = new Set(frame.query.getAll("status"));
    this.pageToken = frame.query.get("page_token") ?? "";
    this.nextToken = "";
    this.selectsAll = false;
    /** When the newest execution was started that this page has heard of, in milliseconds since 1970; 0: not known. */
    this.newest = 0;
    /** @type {Map<string, Listed>} */
    this.pending = new Map();
    this.loading = new AbortController();
    this.isLoading = false;
    this.hasFailed = false;
    /** What changed while a page was on its way, which may be older than that. @type {Map<string, Listed>} */
    this.meanwhile = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.countTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.filterTimer = undefined;
    this.countCost = 0;
    this.isCounting = false;
    /** Whether something changed while the counts were on their way, which may be older than that. */
    this.isCountOld = false;
    /** @type {Stream | null} */
    this.stream = null;
    this.table = new ExecutionTable(frame.mayAct, () => this.selectionChanged());
    this.bar = new FilterBar(this.filters, () => this.filtersChanged());
    this.counts = new StatusCounts(this.statuses, () => this.statusesChanged());
    this.countAgain = new Retry(() => this.countSoon(0));
    this.loadAgain = new Retry(() => this.load());
    this.note = element("div", { "aria-live": "polite" });
    this.selection = element("div.selection", { role: "group", "aria-label": "Selection" });
    this.newer = button("", "new-executions", () => this.showPending(), { hidden: true, class: "newer" });
    this.next = button("older →", "next-page", () => this.turn(this.nextToken), { disabled: true });
    this.first = button("⇤ newest", "first-page", () => this.turn(""), { disabled: true });
    frame.title("Executions");
    fill(frame.place,
      element("h1.hidden", {}, "Executions"),
      this.bar.element,
      this.counts.element, this.selection, this.newer, this.table.element, this.note,
      element("div.pager", {}, this.first, this.next));
    this.selectionChanged();
    this.clock = setInterval(() => this.table.tick(), 1_000);
    this.end = () => {
      this.stream?.close();
      this.loading.abort();
      clearInterval(this.clock);
      clearTimeout(this.countTimer);
      clearTimeout(this.filterTimer);
      this.countAgain.end();
      this.loadAgain.end();
    };
    if (this.bar.check()) this.follow();
    else this.refuseFilter();
  }

  /** What selects, without the status: it is that which changes. */
  marks() {
    return {
      kind: this.filters.kind, queue: this.filters.queue, created_by: this.filters.created_by,
      id_prefix: this.filters.id, label: this.filters.label,
    };
  }

  createdAfter() {
    const age = ageInMs(this.filters.age);
    return age === null ? null : new Date(now() - age).toISOString();
  }

  createdBefore() {
    const age = ageInMs(this.filters.older);
    return age === null ? null : new Date(now() - age).toISOString();
  }

  follow() {
    this.stream?.close();
    this.meanwhile.clear();
    this.stream = new Stream(`/api/v1/events${queryOf(this.marks())}`, (events) => this.take(events), (connection, problem) => {
      this.frame.connection(connection, problem);
      // Without news there is still the list as it stands.
      if (connection === "refused") this.load();
    });
  }

  filtersChanged() {
    clearTimeout(this.filterTimer);
    // What cannot be meant is not applied: the field says so, and the list stays that of the filters before.
    if (!this.bar.check()) return;
    this.filterTimer = setTimeout(() => {
      this.filters = { ...this.bar.values };
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
    this.isLoading = true;
    // What changed until now, the answer has.
    this.meanwhile.clear();
    if (!this.table.rows.size && !this.hasFailed) fill(this.note, element("p.state", { test: "loading" }, "Loading…"));
    try {
      const query = {
        ...this.marks(), created_after: this.createdAfter(), created_before: this.createdBefore(), ...this.counts.query(),
        page_size: PAGE, page_token: this.pageToken,
      };
      const page = await get("/api/v1/executions", query, loading.signal);
      this.isLoading = this.hasFailed = false;
      this.loadAgain.succeeded();
      this.show(page);
    } catch (error) {
      if (loading.signal.aborted) return;
      this.isLoading = false;
      this.hasFailed = true;
      if (error instanceof Problem && error.status === 400 && this.filters.label) this.bar.check(error.message);
      this.noteFailure(error instanceof Error ? error.message : String(error));
      this.loadAgain.failed(error);
    }
    this.frame.ready();
  }

  /** @param {string} words */
  noteFailure(words) {
    // The same is not said again with each further try, and its button stays the one that somebody is about to press.
    const told = this.note.firstElementChild;
    if (told instanceof HTMLElement && told.dataset.words === words) return;
    fill(this.note, element("p.state", { test: "problem", role: "alert", "data-words": words }, words, " ",
      button("try again", "retry", () => this.load())));
  }

  /** @param {{executions: Listed[], next_page_token: string}} page */
  show(page) {
    this.pending.clear();
    this.nextToken = page.next_page_token;
    this.table.show(page.executions);
    if (!this.pageToken) this.newest = Math.max(this.newest, instant(page.executions[0]?.created_at) || 0);
    const meanwhile = [...this.meanwhile.values()];
    this.meanwhile.clear();
    for (const changed of meanwhile) this.change(changed);
    this.showNewer();
    this.noteEmptiness();
    this.next.disabled = !this.nextToken;
    this.first.disabled = !this.pageToken;
    this.countSoon(0);
  }

  /** The filter in the address cannot be meant: nothing is listed, rather than what it does not select. */
  refuseFilter() {
    fill(this.note, element("p.state", { test: "problem", role: "alert" }, "Nothing is listed: the filter of labels cannot be meant. Mend or clear it."));
    this.frame.ready();
  }

  noteEmptiness() {
    if (this.hasFailed) return;
    if (this.table.rows.size) return fill(this.note);
    const isFiltered = this.statuses.size > 0 || Object.values(this.filters).some(Boolean);
    fill(this.note, element("p.state", { test: "empty" }, isFiltered
      ? "No execution fits these filters."
      : ["No executions yet. Start one: ", "rescind start KIND"].join("")));
  }

  /** @param {import("./stream.js").StreamEvent[]} events */
  take(events) {
    for (const event of events) {
      if (event.name === "begun" && (!event.data.resumed || this.hasFailed)) this.load();
      else if (event.name === "execution") this.change(event.data);
    }
    this.showNewer();
    if (events.some((event) => event.name === "execution")) this.countSoon(300);
  }

  /** @param {Listed} changed */
  change(changed) {
    if (this.isLoading) this.meanwhile.set(changed.execution_id, changed);
    if (this.newest || !this.pageToken) this.newest = Math.max(this.newest, instant(changed.created_at));
    const fits = this.counts.fits(changed);
    if (this.table.rows.has(changed.execution_id)) return this.table.update(changed, fits);
    if (this.pending.has(changed.execution_id)) {
      if (fits) this.pending.set(changed.execution_id, changed);
      else this.pending.delete(changed.execution_id);
      return;
    }
    // What comes before the list does would stand there as if it were all of it.
    if (this.isLoading || this.hasFailed) return;
    if (!fits || this.pageToken || !this.belongsHere(changed)) return;
    if (this.isBusy()) this.pending.set(changed.execution_id, changed);
    else this.insert(changed);
  }

  /** @param {Listed} changed */
  belongsHere(changed) {
    const at = instant(changed.created_at);
    const [after, before] = [this.createdAfter(), this.createdBefore()];
    if ((after !== null && at < instant(after)) || (before !== null && at >= instant(before))) return false;
    const oldest = this.table.oldest();
    return !this.nextToken || oldest === null || at > instant(oldest.created_at);
  }

  /** Whether rows must not move now: somebody is about to act on one. */
  isBusy() {
    return this.table.selected.size > 0 || this.table.element.contains(document.activeElement);
  }

  /** @param {Listed} changed */
  insert(changed) {
    this.table.insert(changed);
    this.noteEmptiness();
    // A page that has grown too long is read anew. To drop rows of it would leave them on no page: the next one begins
    // behind what this one began with.
    if (this.table.rows.size > MOST_ROWS && !this.isLoading) this.load();
  }

  showNewer() {
    const count = this.pending.size;
    this.newer.hidden = count === 0;
    this.newer.dataset.count = String(count);
    this.newer.textContent = count === 1 ? "1 new execution" : `${count.toLocaleString("en")} new executions`;
  }

  showPending() {
    if (this.hasFailed || this.table.rows.size + this.pending.size > MOST_ROWS) return void this.load();
    for (const changed of this.pending.values()) this.insert(changed);
    this.pending.clear();
    this.showNewer();
  }

  /** @param {number} soon in milliseconds */
  countSoon(soon) {
    if (this.countAgain.isOver) return;
    if (soon === 0) {
      clearTimeout(this.countTimer);
      this.countTimer = undefined;
    }
    // What costs the server more is asked for less often.
    this.countTimer ??= setTimeout(() => this.count(), soon === 0 ? 0 : Math.max(soon, this.countCost * 20));
  }

  async count() {
    this.countTimer = undefined;
    if (this.isCounting) {
      this.isCountOld = true;
      return;
    }
    this.isCounting = true;
    const begun = performance.now();
    const signal = this.loading.signal;
    try {
      const query = { ...this.marks(), created_after: this.createdAfter(), created_before: this.createdBefore() };
      const told = await get("/api/v1/counts", query, signal);
      this.counts.show(told);
      if (this.selectsAll) this.selectionChanged();
      this.countAgain.succeeded();
    } catch (error) {
      // Another list is on its way.
      if (signal.aborted) this.isCountOld = true;
      else this.countAgain.failed(error);
    }
    this.isCounting = false;
    this.countCost = performance.now() - begun;
    if (!this.isCountOld) return;
    this.isCountOld = false;
    this.countSoon(300);
  }

  statusesChanged() {
    this.pageToken = "";
    this.table.clearSelection();
    this.writeAddress();
    this.load();
  }

  selectionChanged() {
    const count = this.table.selected.size;
    if (!this.table.isWholePage()) this.selectsAll = false;
    this.selection.hidden = !this.frame.mayAct || count === 0;
    if (this.selection.hidden) return fill(this.selection);
    const many = this.selectsAll ? this.counts.total : count;
    fill(this.selection,
      element("span", { test: "selection-count", "data-count": many, role: "status" }, `${many.toLocaleString("en")} selected`),
      button("Cancel…", "bulk-cancel", () => this.cancel(), { class: "danger" }),
      this.table.isWholePage() && !this.selectsAll && this.counts.total > count && button(
        `Select all ${this.counts.total.toLocaleString("en")} that fit`, "select-all-matching",
        () => { this.selectsAll = true; this.selectionChanged(); }, { class: "link" }),
      button("Clear", "clear-selection", () => this.table.clearSelection(), { class: "link" }));
  }

  cancel() {
    const wanted = this.statuses.size ? OPEN.filter((each) => this.statuses.has(each)) : OPEN;
    const [name, ...value] = this.filters.label.split("=");
    // What is started from now on is not hit, whatever this machine's clock says.
    const known = new Date(this.newest ? Math.floor(this.newest) + 1 : now()).toISOString();
    const before = this.createdBefore();
    cancelMany(this.selectsAll ? {
      where: {
        statuses: wanted,
        ...Object.fromEntries(Object.entries(this.marks()).filter(([key, each]) => each && key !== "label")),
        ...(value.length ? { labels: { [name]: value.join("=") } } : {}),
        created_after: this.createdAfter(),
        created_before: before !== null && before < known ? before : known,
      },
    } : { ids: [...this.table.selected] }, () => this.table.clearSelection());
  }
}

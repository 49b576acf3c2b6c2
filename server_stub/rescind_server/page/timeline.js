// @ts-check
/**
 * Draws the rows of a timeline as bars on an axis. Only the rows that are seen are in the document: two thousand tasks cost
 * what forty do.
 */

import { button, element, fill } from "./dom.js";
import { Gestures } from "./timeline_gestures.js";
import { isOpenStop, rowStatus } from "./timeline_model.js";
import { duration, inWords, now, shownWords, signOf } from "./words.js";

/** @typedef {import("./timeline_model.js").Row} Row */
/** @typedef {import("./timeline_model.js").TimelineModel} TimelineModel */
/**
 * @typedef {{row: HTMLElement, sign: HTMLElement, kind: HTMLElement, name: HTMLElement, times: HTMLElement, bars: HTMLElement,
 *   drawn: string, placed: string}} ShownRow the parts of a row in the document, what they show, and on which scale
 */

const ROW = 26;
const BEYOND = 6;
const TICK_MS = 200;
/** How wide the words of a tick are at most, in pixels. */
const LEAST_OF_A_TICK = 64;
const SHORTEST_MS = 0.05;
/** Of these there may be several of one name. @type {Row["kind"][]} */
const NUMBERED = ["task", "child"];
const NAMES = { agent: "agent", task: "task", wait: "wait", timer: "timer", step: "step", signal: "signal", child: "child" };

export class Timeline {
  /**
   * @param {TimelineModel} model
   * @param {(row: Row | null) => void} onSelect told which row is to be shown
   */
  constructor(model, onSelect) {
    this.model = model;
    this.onSelect = onSelect;
    /** The part of the time that is shown; null is all. @type {{begin: number, end: number} | null} */
    this.window = null;
    this.active = -1;
    /** @type {string | null} */
    this.selected = null;
    /** @type {Map<string, ShownRow>} */
    this.shown = new Map();
    /** Those that have left what is seen: they become the rows that come in. @type {ShownRow[]} */
    this.free = [];
    /** What the axis shows: it is drawn anew if that is something else. */
    this.axisShown = "";
    this.axisWidth = 0;
    this.isDrawing = false;
    this.axis = element("div.axis", { test: "timeline-axis", "aria-hidden": "true" });
    this.list = element("div.timeline-rows", {
      role: "listbox", tabindex: "0", test: "timeline", "aria-label": "Timeline",
      onkeydown: (event) => this.key(/** @type {KeyboardEvent} */ (event)),
      onclick: (event) => this.clicked(event),
    });
    this.scroll = element("div.timeline-scroll", { test: "timeline-scroll", onscroll: () => this.draw() }, this.list);
    this.words = element("span.quiet");
    this.element = element("div.timeline", {},
      element("div.tools", {},
        button("−", "zoom-out", () => this.zoom(2), { "aria-label": "Zoom out" }),
        button("+", "zoom-in", () => this.zoom(0.5), { "aria-label": "Zoom in" }),
        button("all", "zoom-all", () => this.showAll(), { "aria-label": "Show all of the time" }),
        this.words, element("span.spacer"), legend()),
      this.axis, this.scroll);
    this.gestures = new Gestures(this.axis, this.scroll, this);
    this.scroll.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.resized = new ResizeObserver(() => {
      this.axisWidth = this.axis.clientWidth;
      this.draw();
    });
    this.resized.observe(this.scroll);
    this.resized.observe(this.axis);
    this.clock = setInterval(() => { if (this.isLive()) this.draw(); }, TICK_MS);
  }

  end() {
    clearInterval(this.clock);
    this.resized.disconnect();
  }

  isLive() {
    return !this.model.isOver();
  }

  /** Draw with the next frame of the screen. */
  draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => {
      this.isDrawing = false;
      if (this.element.isConnected) this.drawNow();
    });
  }

  range() {
    if (this.window) return this.window;
    const begin = this.model.began;
    const end = this.model.until(now());
    return { begin, end: Math.max(end, begin + 1) };
  }

  drawNow() {
    const rows = this.model.rows;
    if (!rows.length) return;
    const range = this.range();
    // What is read of the document is read first: in between, each reading would lay it out anew.
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - BEYOND);
    const last = Math.min(rows.length, Math.ceil((this.scroll.scrollTop + this.scroll.clientHeight) / ROW) + BEYOND);
    this.list.style.height = `${rows.length * ROW}px`;
    this.element.classList.toggle("with-stops", this.model.hasStops);
    // Scrolling alone leaves the bars where they are.
    const scale = `${range.begin} ${range.end} ${this.isLive() ? now() : ""}`;
    const kept = new Set();
    for (let place = first; place < last; place += 1) kept.add(rows[place].key);
    if (this.active >= 0 && rows[this.active]) kept.add(rows[this.active].key);
    for (const [key, shown] of this.shown) {
      if (!kept.has(key)) {
        this.free.push(shown);
        this.shown.delete(key);
      }
    }
    for (let place = first; place < last; place += 1) this.drawRow(place, range, scale);
    if (this.active >= 0 && (this.active < first || this.active >= last) && rows[this.active]) this.drawRow(this.active, range, scale);
    for (const { row: left } of this.free) left.remove();
    this.drawAxis(range);
    this.words.textContent = `${rows.length.toLocaleString("en")} rows, ${duration(range.end - range.begin)}`;
  }

  /**
   * @param {number} place
   * @param {{begin: number, end: number}} range
   * @param {string} scale bars that were placed with it are where they belong
   */
  drawRow(place, range, scale) {
    const row = this.model.rows[place];
    let shown = this.shown.get(row.key);
    if (!shown) {
      shown = this.free.pop() ?? newRow();
      shown.drawn = "";
      shown.row.id = `row-${place}`;
      shown.row.style.top = `${place * ROW}px`;
      shown.row.dataset.place = String(place);
      this.shown.set(row.key, shown);
      if (!shown.row.parentNode) this.list.append(shown.row);
    }
    const status = rowStatus(row);
    const number = NUMBERED.includes(row.kind) && this.model.alike(row.kind, row.name) > 1 ? ` (${row.number})` : "";
    const state = `${status} ${row.stop} ${row.attempts} ${row.bars.length} ${row.why}${number}`;
    if (shown.drawn !== state) {
      shown.drawn = state;
      shown.placed = "";
      this.drawState(shown, row, place, status, number);
    }
    shown.row.setAttribute("aria-selected", String(row.key === this.selected));
    shown.row.setAttribute("aria-setsize", String(this.model.rows.length));
    shown.row.classList.toggle("active", place === this.active);
    if (shown.placed === scale) return;
    shown.placed = scale;
    this.placeBars(shown.bars, row, range);
  }

  /**
   * @param {ShownRow} shown
   * @param {Row} row
   * @param {number} place
   * @param {string} status
   * @param {string} number which one it is of several of its name
   */
  drawState(shown, row, place, status, number) {
    const { row: made, bars } = shown;
    mark(made, { status, kind: row.kind, task: row.taskId, stop: row.stop });
    made.setAttribute("aria-posinset", String(place + 1));
    const stop = row.stop && !isOpenStop(row.stop) ? `, ${inWords(row.stop)}` : "";
    const times = number + (row.attempts > 1 ? ` ×${row.attempts}` : "");
    const kind = NAMES[row.kind] === row.name ? "" : `${NAMES[row.kind]} `;
    const words = `${kind}${row.name}${times}, ${shownWords(status, row.status)}${stop}`;
    made.setAttribute("aria-label", words);
    made.title = row.why ? `${words}: ${row.why.slice(0, 500)}` : words;
    mark(shown.sign, { status });
    shown.sign.textContent = signOf(status);
    shown.kind.textContent = row.kind === "task" || row.kind === "agent" ? "" : kind;
    shown.name.textContent = row.name.slice(0, 120);
    shown.times.textContent = times;
    while (bars.childElementCount <= row.bars.length) bars.prepend(element("span.bar", { test: "timeline-bar" }));
    while (bars.childElementCount > row.bars.length + 1) bars.firstElementChild?.remove();
    row.bars.forEach((bar, number) => mark(/** @type {HTMLElement} */ (bars.children[number]), {
      phase: bar.phase, status: bar.failed ? "FAILED" : isLast(row, number) ? status : null,
      attempt: bar.attempt ? String(bar.attempt) : null, end: isLast(row, number) && bar.end !== null ? row.stop ?? row.status : null,
    }));
  }

  /**
   * @param {HTMLElement} place
   * @param {Row} row
   * @param {{begin: number, end: number}} range
   */
  placeBars(place, row, range) {
    const length = range.end - range.begin;
    let right = 0;
    row.bars.forEach((bar, number) => {
      const made = /** @type {HTMLElement} */ (place.children[number]);
      const end = bar.end ?? this.model.until(now());
      const from = Math.max(0, (bar.begin - range.begin) / length);
      const to = Math.min(1, (end - range.begin) / length);
      made.hidden = end < range.begin || bar.begin > range.end;
      made.style.left = `${from * 100}%`;
      made.style.width = `${Math.max(0, to - from) * 100}%`;
      right = Math.max(right, (end - range.begin) / length);
    });
    const words = /** @type {HTMLElement} */ (place.lastElementChild);
    const told = endWords(row, this.model.until(now()));
    if (words.dataset.words !== told) words.dataset.words = told;
    words.style.left = `${Math.min(1, Math.max(0, right)) * 100}%`;
    // What goes on ends now, which is a little later than when the axis was measured.
    words.hidden = told === "" || right > 1.01 || right < 0;
  }

  /** @param {{begin: number, end: number}} range */
  drawAxis(range) {
    const length = range.end - range.begin;
    const step = niceStep(length / Math.max(2, this.axisWidth / 90));
    const offset = range.begin - this.model.began;
    const shown = `${offset} ${length} ${step} ${this.axisWidth}`;
    if (this.axisShown === shown) return;
    this.axisShown = shown;
    const marks = [];
    for (let at = Math.ceil(offset / step) * step; at <= offset + length; at += step) {
      const place = (at - offset) / length;
      // At the end there is no room for words beside the line.
      const hasRoom = (1 - place) * this.axisWidth >= LEAST_OF_A_TICK;
      const mark = element("span.tick", {}, !hasRoom ? "" : at === 0 ? "0" : duration(at));
      mark.style.left = `${place * 100}%`;
      marks.push(mark);
    }
    fill(this.axis, element("span.ticks", {}, ...marks));
  }

  showAll() {
    this.window = null;
    this.draw();
  }

  /**
   * @param {number} factor
   * @param {number} [around] which place of the axis stays where it is, from 0 to 1
   */
  zoom(factor, around = 0.5) {
    const { begin, end } = this.range();
    const length = Math.max(SHORTEST_MS, (end - begin) * factor);
    const all = this.model.until(now()) - this.model.began;
    if (length >= all) return this.showAll();
    const at = begin + (end - begin) * around;
    this.setWindow(at - length * around, length);
  }

  /** @param {number} part of what is shown */
  pan(part) {
    if (!this.window) return;
    const length = this.window.end - this.window.begin;
    this.setWindow(this.window.begin + length * part, length);
  }

  /**
   * @param {number} wanted
   * @param {number} length
   */
  setWindow(wanted, length) {
    const latest = this.model.until(now()) - length;
    const begin = Math.min(Math.max(this.model.began, wanted), Math.max(this.model.began, latest));
    this.window = { begin, end: begin + length };
    this.draw();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.gestures.placeOf(event.clientX));
    } else if (this.window && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
      event.preventDefault();
      this.pan((event.deltaX || event.deltaY) / 800);
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 1);
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.activate(this.active + 1), ArrowUp: () => this.activate(this.active - 1),
      PageDown: () => this.activate(this.active + page), PageUp: () => this.activate(this.active - page),
      Home: () => this.activate(0), End: () => this.activate(this.model.rows.length - 1),
      ArrowRight: () => this.pan(0.2), ArrowLeft: () => this.pan(-0.2),
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.showAll(),
      Enter: () => this.select(this.active), " ": () => this.select(this.active), Escape: () => this.select(-1),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  /** @param {Event} event */
  clicked(event) {
    const row = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest(".timeline-row")) : null;
    if (!row) return;
    this.activate(Number(row.dataset.place));
    this.select(Number(row.dataset.place));
  }

  /** @param {number} place */
  activate(place) {
    this.active = Math.max(0, Math.min(this.model.rows.length - 1, place));
    const top = this.active * ROW;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top + ROW > this.scroll.scrollTop + this.scroll.clientHeight) this.scroll.scrollTop = top + ROW - this.scroll.clientHeight;
    this.drawNow();
    this.list.setAttribute("aria-activedescendant", `row-${this.active}`);
  }

  /** Nothing is selected any more: the keyboard goes on in the rows. */
  leave() {
    this.select(-1);
    this.list.focus({ preventScroll: true });
  }

  /** @param {number} place */
  select(place) {
    const row = this.model.rows[place] ?? null;
    this.selected = row?.key ?? null;
    this.onSelect(row);
    this.draw();
  }
}

/** @returns {ShownRow} */
function newRow() {
  const sign = element("span.sign", { "aria-hidden": "true" });
  const kind = element("span.quiet");
  const name = element("bdi");
  const times = element("span.quiet");
  const bars = element("span.row-bars", {}, element("span.end-words", { "aria-hidden": "true" }));
  const row = element("div.timeline-row", { role: "option", test: "timeline-row" }, element("span.row-label", {}, sign, kind, name, times), bars);
  return { row, sign, kind, name, times, bars, drawn: "", placed: "" };
}

/**
 * Set what an element says of itself; null takes it away.
 * @param {HTMLElement} marked
 * @param {Record<string, string | null>} data
 */
function mark(marked, data) {
  for (const [name, value] of Object.entries(data)) {
    if (value === null) delete marked.dataset[name];
    else if (marked.dataset[name] !== value) marked.dataset[name] = value;
  }
}

/**
 * @param {Row} row
 * @param {number} number
 */
function isLast(row, number) {
  return number === row.bars.length - 1;
}

/**
 * What stands beside the last bar: how it stands, and how long stopping took.
 * @param {Row} row
 * @param {number} until
 */
function endWords(row, until) {
  if (row.stop === null) return "";
  if (row.stop === "UNKNOWN") return inWords(row.stop);
  const stopping = row.bars.filter((bar) => bar.phase === "requested" || bar.phase === "delivered");
  const took = (stopping.at(-1)?.end ?? until) - (stopping[0]?.begin ?? until);
  return isOpenStop(row.stop) ? `stopping for ${duration(took)}` : `${inWords(row.stop)} after ${duration(took)}`;
}

/** @param {number} least */
function niceStep(least) {
  const units = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
  return units.find((each) => each >= least) ?? 864e5 * Math.ceil(least / 864e5);
}

function legend() {
  const parts = [["waiting", "waits"], ["running", "runs"], ["timer", "timer"], ["requested", "stop requested"], ["delivered", "delivered, still stopping"]];
  return element("span.legend", { "aria-hidden": "true" }, ...parts.map(([phase, words]) =>
    element("span", {}, element("span.bar", { "data-phase": phase }), words)));
}

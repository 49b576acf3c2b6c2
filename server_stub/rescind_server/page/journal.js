// @ts-check
/**
 * The journal of an execution, the newest first: what its agent asked for, one durable operation per line, and what it was
 * answered. All of it stands in the history, where each is two events or more, amid those of the tasks.
 */

import { button, element, fill, foreign } from "./dom.js";
import { duration, inWords, instant, shownWords, time } from "./words.js";
import { keyOf, rowStatus } from "./timeline_model.js";
import { timerName, waitName } from "./waits.js";

/** @typedef {import("./timeline_model.js").HistoryEvent} HistoryEvent */
/**
 * @typedef {{key: string, sequence: number, position: number | null, kind: string, what: string, at: string,
 *   answer: string, answeredAt: string | null, drawn: string}} Line an operation, its answer, if it has one, and what of that is shown
 */

const SHOWN = 300;
const COLUMNS = ["№", "When", "What the agent did", "Answer", "After"];
/** @type {Record<string, string>} */
const TASK_ENDS = { TASK_COMPLETED: "COMPLETED", TASK_FAILED: "FAILED", TASK_CANCELLED: "CANCELLED" };

export class Journal {
  /** @param {import("./timeline_model.js").TimelineModel} model */
  constructor(model) {
    this.model = model;
    /** @type {Line[]} */
    this.lines = [];
    /** @type {Map<string, Line>} */
    this.open = new Map();
    /** The rows in the document, by the number of their event. @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** Lines that were answered since they were drawn. @type {Set<Line>} */
    this.answered = new Set();
    /** Lines whose work is being stopped, or may be, though they were answered. @type {Set<Line>} */
    this.stopping = new Set();
    /** The lines of tasks and children, also those that were answered. @type {Map<string, Line>} */
    this.asked = new Map();
    this.run = 1;
    this.drawn = 0;
    this.most = SHOWN;
    this.body = element("tbody");
    this.empty = element("p.state", { test: "empty" }, "The agent has asked for nothing yet.");
    this.more = button("", "journal-more", () => { this.most *= 4; this.redraw(); }, { class: "link" });
    this.element = element("div", {}, this.empty,
      element("div.scroll-x", { tabindex: "0", role: "region", "aria-label": "Journal" }, element("table.history", {},
        element("caption.hidden", {}, "Journal, the newest first"),
        element("thead", {}, element("tr", {}, ...COLUMNS.map((each) => element("th", { scope: "col" }, each)))), this.body)), this.more);
  }

  /** @param {HistoryEvent} event one that was not seen before */
  see(event) {
    const details = event.details ?? {};
    const key = event.task_id ? `task ${event.task_id}` : details.child_id !== undefined ? `child ${details.child_id}` : keyOf(details);
    switch (event.type) {
      case "TASK_SCHEDULED": return this.ask(event, "task", `schedules ${details.kind}`, key);
      case "STOP_REQUESTED": return this.stops(key);
      case "TASK_COMPLETED": case "TASK_FAILED": case "TASK_CANCELLED": return this.answer(event, key, inWords(TASK_ENDS[event.type]));
      case "WAIT_STARTED": return this.ask(event, "wait", `waits for ${waitName(details, (each) => this.model.byKey.get(each)?.name)}`, key);
      case "WAIT_SETTLED": return this.answer(event, key, settledWords(details));
      case "TIMER_STARTED": return this.ask(event, "timer", `sets a timer: ${timerName(details)}`, key);
      case "TIMER_FIRED": return this.answer(event, key, "fired");
      case "STEP_BEGUN": return this.ask(event, "step", `runs the step ${details.name}`, key);
      case "STEP_RECORDED": return this.answer(event, key, details.failed ? "failed" : "recorded");
      case "WITHDRAWN": return this.answer(event, key, "withdrawn");
      case "SIGNALS_TAKEN": return this.taken(event, key, `signals ${(details.numbers ?? []).map((/** @type {number} */ each) => `№ ${each}`).join(", ")}`);
      case "CHILD_SPAWNED": return this.ask(event, "child", `spawns ${details.kind} ${details.child_id}`, key);
      case "CHILD_ENDED": return this.answer(event, key, inWords(String(details.status)));
      default: return this.tell(event, details);
    }
  }

  /**
   * What has no answer.
   * @param {HistoryEvent} event
   * @param {Record<string, any>} details
   */
  tell(event, details) {
    /** @type {Record<string, () => string>} */
    const words = {
      ENTRY_APPENDED: () => `says something as ${details.role}`,
      CHECKPOINT_SAVED: () => `saves checkpoint ${details.number}`,
      CHILD_SIGNALLED: () => `sends its child the signal ${details.name}`,
      PARENT_SIGNALLED: () => `sends its parent the signal ${details.name}`,
      SIGNAL_RECEIVED: () => `is sent signal № ${details.number}: ${details.name}, by ${details.by}`,
      USAGE_REPORTED: () => `has used ${details.tokens} tokens and ${details.cost_usd} US dollars`,
      EXECUTION_CANCEL_REQUESTED: () => `is to be cancelled: ${[details.source, details.reason].filter(Boolean).join(", ")}`,
      EXECUTION_PARKED: () => `is parked: ${details.problem}`,
      EXECUTION_RETRIED: () => `is begun again, by ${details.by}`,
    };
    if (event.type === "EXECUTION_ACTIVATED" && details.run > this.run) {
      this.run = details.run;
      this.ask(event, "run", `is run anew, run ${details.run}: the journal answers what was answered before`);
    } else if (Object.hasOwn(words, event.type)) this.ask(event, event.type.toLowerCase(), words[event.type]());
  }

  /**
   * @param {HistoryEvent} event
   * @param {string} kind
   * @param {string} what
   * @param {string} [key] by which its answer finds it, if it gets one
   */
  ask(event, kind, what, key = "") {
    const position = Number.isInteger(event.details?.position) ? event.details?.position : null;
    /** @type {Line} */
    const line = { key, sequence: event.sequence, position, kind, what, at: event.at, answer: "", answeredAt: null, drawn: "" };
    this.lines.push(line);
    if (key) this.open.set(key, line);
    if (kind === "task" || kind === "child") this.asked.set(key, line);
  }

  /**
   * @param {HistoryEvent} event
   * @param {string} key
   * @param {string} words
   */
  answer(event, key, words) {
    const line = this.open.get(key);
    if (!line) return;
    this.open.delete(key);
    line.answer = words;
    line.answeredAt = event.at;
    this.answered.add(line);
    if (line.kind === "child") this.stopping.add(line);
  }

  /** @param {string} key of a task of which an attempt is to be stopped */
  stops(key) {
    const line = this.asked.get(key);
    if (line) this.stopping.add(line);
  }

  /**
   * The answer of an operation: what is cancelled has not stopped for all that.
   * @param {Line} line
   */
  answerWords(line) {
    const row = this.asked.get(line.key) === line ? this.model.byKey.get(line.key) : undefined;
    if (!row || row.stop === null || line.answeredAt === null) return line.answer;
    if (rowStatus(row) === "STOPPING") return shownWords("STOPPING", row.status);
    return row.status === "CANCELLED" ? `${line.answer}, ${inWords(row.stop)}` : line.answer;
  }

  /** Those whose work has stopped since they were drawn are drawn anew. */
  noteStopped() {
    for (const line of this.stopping) {
      if (line.answeredAt === null) continue;
      const row = this.model.byKey.get(line.key);
      if (!row || rowStatus(row) !== "STOPPING") this.stopping.delete(line);
      if (line.drawn !== this.answerWords(line)) this.answered.add(line);
    }
  }

  /**
   * Signals that were there are taken without a wait.
   * @param {HistoryEvent} event
   * @param {string} key
   * @param {string} words
   */
  taken(event, key, words) {
    if (!this.open.has(key)) this.ask(event, "signals", "takes signals", key);
    this.answer(event, key, words);
  }

  changed() {
    if (this.element.offsetParent !== null) this.shown();
  }

  shown() {
    this.noteStopped();
    for (const line of this.answered) this.rows.get(line.sequence)?.replaceWith(this.row(line));
    this.answered.clear();
    const fresh = this.lines.slice(Math.max(this.drawn, this.lines.length - this.most));
    this.drawn = this.lines.length;
    this.body.prepend(...fresh.map((line) => this.row(line)).reverse());
    while (this.body.childElementCount > this.most) {
      const last = /** @type {HTMLElement} */ (this.body.lastElementChild);
      this.rows.delete(Number(last.dataset.sequence));
      last.remove();
    }
    this.empty.hidden = this.lines.length > 0;
    const rest = this.lines.length - this.body.childElementCount;
    this.more.hidden = rest <= 0;
    this.more.textContent = `show more (${rest.toLocaleString("en")} older lines)`;
  }

  redraw() {
    this.drawn = 0;
    this.rows.clear();
    fill(this.body);
    this.shown();
  }

  /** @param {Line} line */
  row(line) {
    const isOpen = line.key !== "" && line.answeredAt === null;
    line.drawn = this.answerWords(line);
    const row = element("tr", { test: "journal-line", "data-sequence": line.sequence, "data-kind": line.kind, "data-open": isOpen ? "true" : null },
      element("td.number", {}, line.position ?? ""), element("td", {}, time(line.at)), element("td", {}, foreign(line.what, 500)),
      element("td", {}, line.answeredAt === null ? element("span.quiet", {}, isOpen ? "open" : "") : foreign(line.drawn, 500)),
      element("td.number", {}, line.answeredAt === null ? "" : duration(instant(line.answeredAt) - instant(line.at))));
    this.rows.set(line.sequence, row);
    return row;
  }
}

/** @param {Record<string, any>} details */
function settledWords(details) {
  const parts = [details.timed_out && "timed out", `${details.ended ?? 0} ended`,
    details.winners?.length && `${details.winners.length} won`, details.cancelled?.length && `${details.cancelled.length} cancelled`,
    details.signals?.length && `signals ${details.signals.map((/** @type {number} */ each) => `№ ${each}`).join(", ")}`];
  return parts.filter(Boolean).join(", ");
}

// @ts-check
/** What agents and tasks stream, line by line, each with who said it. */

import { element, fill, foreign } from "./dom.js";

const MOST_LINES = 2_000;
const LONGEST_LINE = 2_000;
const LONGEST_HELD = 4_000_000;
/** What a task is called whose name is not known yet. */
export const UNKNOWN = "task";

export class Output {
  /** @param {(taskId: string) => string} nameOf the name of a task */
  constructor(nameOf) {
    this.nameOf = nameOf;
    this.log = element("div.log", { role: "log", test: "output", tabindex: "0", "aria-label": "Output", "aria-live": "off" });
    this.left = element("p.quiet", { hidden: true }, `The newest ${MOST_LINES.toLocaleString("en")} lines; more came before them.`);
    this.element = element("div", {}, this.left, this.log, element("p.quiet", {},
      "What programs write is kept; what else is streamed is told to those who look at it meanwhile. "
      + "What tasks stream after the end of their execution is not shown."));
    this.empty = element("p.state", { test: "empty" }, "Nothing was streamed since you look. What was streamed before is not kept.");
    this.log.append(this.empty);
    /** The line that goes on, and what is in it. @type {{key: string, text: string, line: HTMLElement} | null} */
    this.open = null;
    /** The task whose event is shown just now. @type {string | null} */
    this.taskId = null;
    /** @type {{taskId: string, teller: HTMLElement}[]} */
    this.unnamed = [];
  }

  shown() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** @param {import("./stream.js").StreamEvent[]} events */
  take(events) {
    if (!events.length) return;
    this.empty.remove();
    const isAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 40;
    for (const event of events.slice(-2 * MOST_LINES)) this.one(event);
    if (this.log.childElementCount > MOST_LINES || events.length > 2 * MOST_LINES) this.left.hidden = false;
    while (this.log.childElementCount > MOST_LINES) this.log.firstElementChild?.remove();
    if (isAtEnd && this.log.clientHeight) this.log.scrollTop = this.log.scrollHeight;
  }

  /** Output may come before the history that names who wrote it. */
  named() {
    this.unnamed = this.unnamed.filter(({ taskId, teller }) => {
      const name = this.nameOf(taskId);
      if (name !== UNKNOWN) teller.firstElementChild?.replaceWith(foreign(name, 60));
      return name === UNKNOWN && teller.isConnected;
    });
  }

  /** @param {import("./stream.js").StreamEvent} event */
  one(event) {
    const { task_id: taskId, value, kind } = event.data;
    this.taskId = taskId ?? null;
    if (event.name === "missed") return this.line("…", "", missedWords(event.data), "missed");
    const who = taskId ? this.nameOf(taskId) : "agent";
    if (event.name === "token") return this.goOn(`${taskId} token`, who, spoken(value), "token");
    if (event.name === "output") {
      const text = String(value?.text ?? "") + (value?.left_out ? `… ${value.left_out} bytes left out\n` : "");
      return this.program(`${taskId} ${value?.stream}`, who, text, value?.stream === "stderr" ? "stderr" : "stdout");
    }
    const name = event.name === "streamed" ? String(kind) : event.name === "failure" ? "error" : event.name;
    this.line(who, name, plain(value), event.name);
  }

  /**
   * @param {string} key
   * @param {string} who
   * @param {string} text
   * @param {string} kind
   */
  program(key, who, text, kind) {
    const lines = text.split("\n");
    lines.forEach((each, number) => {
      if (number === lines.length - 1) {
        if (each) this.goOn(key, who, each, kind);
      } else {
        this.goOn(key, who, each, kind);
        if (this.open?.key === key) this.open = null;
      }
    });
  }

  /**
   * @param {string} key
   * @param {string} who
   * @param {string} text
   * @param {string} kind
   */
  goOn(key, who, text, kind) {
    const longest = kind === "token" ? LONGEST_LINE : LONGEST_HELD;
    if (this.open?.key === key && this.open.line.isConnected && this.open.text.length < longest) {
      const place = /** @type {HTMLElement} */ (this.open.line.lastElementChild);
      // Somebody has asked to see all of it.
      const isWhole = this.open.text.length > LONGEST_LINE && !place.querySelector("button");
      this.open.text += text;
      fill(place, foreign(this.open.text, isWhole ? Infinity : LONGEST_LINE));
      return;
    }
    this.open = { key, text, line: this.line(who, kind === "stderr" ? "stderr" : "", text, kind) };
  }

  /**
   * @param {string} who
   * @param {string} name
   * @param {string} text
   * @param {string} kind
   */
  line(who, name, text, kind) {
    this.open = null;
    const teller = element("span.log-who", {}, foreign(who, 60), name ? ` ${name}` : "");
    const line = element("div.log-line", { test: "output-line", "data-kind": kind }, teller, element("span.log-text", {}, foreign(text, LONGEST_LINE)));
    if (this.taskId !== null && who === UNKNOWN) this.unnamed.push({ taskId: this.taskId, teller });
    this.log.append(line);
    return line;
  }
}

/** What a token says. @param {any} value */
function spoken(value) {
  if (typeof value === "string") return value;
  return typeof value?.text === "string" ? value.text : JSON.stringify(value);
}

/** @param {any} value */
function plain(value) {
  if (typeof value === "string") return value;
  if (value && typeof value === "object" && typeof value.message === "string" && Object.keys(value).length <= 2) {
    return [value.level, value.message].filter(Boolean).join(": ");
  }
  return JSON.stringify(value);
}

/** @param {{streamed: number | null, output?: number}} missed */
function missedWords(missed) {
  const bytes = missed.output ? `, ${missed.output} bytes of output among it` : "";
  return missed.streamed === null ? `something may be missing here${bytes}` : `${missed.streamed} streamed events are missing here${bytes}`;
}

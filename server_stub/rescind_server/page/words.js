// @ts-check
/** Times, lengths of time and states in words and signs. */

import { element } from "./dom.js";

/** What runs behind or before this clock, in milliseconds: the server's time counts. */
let offset = 0;

/** @param {string | null} date the header `Date` of an answer */
export function noteServerTime(date) {
  if (!date) return;
  const seen = Date.parse(date) + 500 - Date.now();
  if (Math.abs(seen - offset) > 1_500) offset = seen;
}

/** The server's time now, in milliseconds since 1970. */
export function now() {
  return Date.now() + offset;
}

/**
 * @param {string | null | undefined} moment in ISO 8601
 * @returns {number} milliseconds since 1970, with microseconds behind the point
 */
export function instant(moment) {
  if (!moment) return NaN;
  const micro = /\.\d{3}(\d{3})Z$/.exec(moment);
  return Date.parse(moment) + (micro ? Number(micro[1]) / 1_000 : 0);
}

/**
 * @param {number} milliseconds
 * @returns {string}
 */
export function duration(milliseconds) {
  if (!Number.isFinite(milliseconds)) return "";
  const value = Math.max(0, milliseconds);
  if (value < 1) return `${value.toFixed(1)} ms`;
  if (value < 1_000) return `${Math.round(value)} ms`;
  const seconds = value / 1_000;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/**
 * A time of the day, or with the date if that is not today.
 * @param {string | null | undefined} moment
 * @returns {HTMLElement}
 */
export function time(moment) {
  if (!moment) return element("span.quiet", {}, "–");
  const at = new Date(moment);
  const clock = at.toLocaleTimeString("en-GB");
  const today = new Date(now()).toDateString() === at.toDateString();
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return element("time", { datetime: moment, title: moment }, today ? clock : `${date} ${clock}`);
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, "0");
}

/** @type {Record<string, [sign: string, words: string]>} */
const STATES = {
  PENDING: ["○", "pending"],
  RUNNING: ["▶", "running"],
  WAITING: ["◔", "waiting"],
  CANCELLING: ["◐", "cancelling"],
  STOPPING: ["◑", "still stopping"],
  COMPLETED: ["✓", "completed"],
  FAILED: ["✕", "failed"],
  CANCELLED: ["■", "cancelled"],
  ENDED: ["–", "ended with its agent"],
  STOPPED: ["■", "stopped"],
  KILLED: ["⊗", "killed"],
  LOST: ["?", "lost"],
  REQUESTED: ["◑", "stop requested"],
  DELIVERED: ["◑", "stop delivered"],
  UNKNOWN: ["?", "not known whether it has stopped"],
};

/** @type {Record<string, string>} */
const RESULTS = {
  CANCELLED: "is cancelled", ALREADY_CANCELLED: "was cancelled before", ALREADY_COMPLETED: "had completed", ALREADY_FAILED: "had failed",
  NOT_FOUND: "was not found",
};

/**
 * The words for a state.
 * @param {string} status
 * @returns {string}
 */
export function inWords(status) {
  return STATES[status]?.[1] ?? status.toLowerCase().replaceAll("_", " ");
}

/**
 * What became of a request to cancel something, said of it: "It ‹had completed›".
 * @param {string} result
 */
export function resultWords(result) {
  return RESULTS[result] ?? `was ${result.toLowerCase().replaceAll("_", " ")}`;
}

/** @param {string} status */
export function signOf(status) {
  return STATES[status]?.[0] ?? "•";
}

/** @typedef {{status: string, parked?: string | null, stopping?: number | null, children_stopping?: number | null}} Standing */

export const OPEN = ["PENDING", "RUNNING", "WAITING", "CANCELLING"];

/**
 * The state that is shown for an execution: what has ended while its work, or that of what it spawned, still stops is not
 * shown as stopped.
 * @param {Standing} execution
 * @returns {string}
 */
export function shownStatus(execution) {
  return (execution.stopping ?? 0) > 0 && !OPEN.includes(execution.status) ? "STOPPING" : execution.status;
}

/**
 * What stands behind an execution's state: what of it still stops, or that it is parked.
 * @param {Standing} execution
 * @returns {string}
 */
export function furtherWords(execution) {
  if (execution.status === "CANCELLED" && execution.stopping === null) return inWords("UNKNOWN");
  const below = execution.children_stopping ?? 0;
  const own = (execution.stopping ?? 0) - below;
  const parts = [own > 0 && `${own} at work`, below > 0 && `in ${below} ${below === 1 ? "child" : "children"}`];
  return parts.filter(Boolean).join(", ") || (execution.parked ? "parked" : "");
}

/**
 * The words for a state that is shown: of what still stops, also how it ended.
 * @param {string} shown
 * @param {string} recorded the state in the record
 * @returns {string}
 */
export function shownWords(shown, recorded) {
  return shown === "STOPPING" ? `${inWords(recorded)}, still stopping` : inWords(shown);
}

/**
 * A state with its sign: never by colour alone.
 * @param {string} status
 * @param {string} [further] words behind it
 * @param {string} [words] for the state
 * @returns {HTMLElement}
 */
export function statusBadge(status, further = "", words = inWords(status)) {
  return element("span.status", { test: "status", "data-status": status },
    element("span.sign", { "aria-hidden": "true" }, signOf(status)),
    words + (further ? `, ${further}` : ""));
}

/**
 * How an execution stands, with its sign and what of it still stops.
 * @param {Standing} execution
 * @returns {HTMLElement}
 */
export function standingBadge(execution) {
  const shown = shownStatus(execution);
  return statusBadge(shown, furtherWords(execution), shownWords(shown, execution.status));
}

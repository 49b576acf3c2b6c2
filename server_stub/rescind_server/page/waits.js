// @ts-check
/** What an agent waits for, in words. */

import { duration } from "./words.js";

/** @typedef {Record<string, any>} Details */
/** @typedef {(key: string) => string | undefined} NameOf the name of `task ID` or `child ID` */

/** @type {Record<string, string>} */
const CONDITIONS = { ALL_COMPLETED: "all of", ALL_ENDED: "the ends of", SOME_COMPLETED: "some of", ANY_ENDED: "the first of" };
const SUBJECT = /^([A-Z_]+) of (\d+)( children)?$/;

/**
 * @param {Details} details of the event with which the wait began
 * @param {NameOf} nameOf
 * @returns {string}
 */
export function waitName(details, nameOf) {
  const subject = String(details.subject ?? "");
  const found = SUBJECT.exec(subject);
  const named = members(details.tasks, "task", nameOf).concat(members(details.children, "child", nameOf));
  // A signal may have any name.
  if (!found || !Object.hasOwn(CONDITIONS, found[1])) return subject ? `signal ${subject}` : "wait";
  const count = Number(found[2]);
  if (named.length === 0) return `${CONDITIONS[found[1]]} ${count} ${found[3] ? "children" : "tasks"}`;
  if (count === 1) return named[0];
  const rest = count - named.length;
  return `${CONDITIONS[found[1]]} ${counted(named).join(", ")}${rest > 0 ? ` and ${rest.toLocaleString("en")} more` : ""}`;
}

/**
 * @param {Details} details of the event with which the timer began
 * @returns {string}
 */
export function timerName(details) {
  const length = Number.isFinite(details.in_ms) ? duration(details.in_ms) : "";
  return [details.name, length].filter(Boolean).join(", ") || "timer";
}

/**
 * @param {unknown} ids
 * @param {string} kind
 * @param {NameOf} nameOf
 */
function members(ids, kind, nameOf) {
  return Array.isArray(ids) ? ids.map((id) => nameOf(`${kind} ${id}`) ?? kind) : [];
}

/**
 * Those of one name once, with their number.
 * @param {string[]} names
 */
function counted(names) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`));
}

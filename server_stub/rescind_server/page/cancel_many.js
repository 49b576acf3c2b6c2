// @ts-check
/** Cancelling many executions: first what would be hit, then step by step, with what each request met. */

import { call, executionPath, Problem } from "./api.js";
import { forEach, openTree } from "./children.js";
import { askToCancel, isLost } from "./dialog.js";
import { OPEN } from "./words.js";

const NOT_ASKED_YET = ["PENDING", "RUNNING", "WAITING"];
const LOOK_MS = 700;

/** @typedef {import("./dialog.js").Progress} Progress */
/** @typedef {Record<string, unknown> & {statuses: string[]}} Where */
/**
 * @typedef {{executions: number, descendants: number, tasks: number, attempts: number | null, isWhole: boolean}} Hits
 *   what is selected and open, what is open below that, the open tasks of both, and how many attempts of these are at work
 */

/**
 * @param {{ids: string[]} | {where: Where}} what those ids, or all that a filter selects
 * @param {() => void} done told when nothing more is asked
 */
export function cancelMany(what, done) {
  let planned = 0;
  /** @type {string | null} */
  let asOf = null;
  /** Which of the ids have had no answer yet, and what the others met. @type {{ids: string[], counts: Record<string, number>}} */
  const rest = { ids: "ids" in what ? what.ids : [], counts: {} };
  askToCancel({
    title: "Cancel executions", confirm: "Cancel them", mayForce: true, done,
    plan: async () => {
      let ended = 0;
      /** @type {Hits} */
      let hits;
      if ("ids" in what) ({ ended, hits } = await looked(what.ids));
      else ({ as_of: asOf, hits } = await dryRun(what.where));
      planned = hits.executions;
      const also = ended ? ` ${ended.toLocaleString("en")} more ${ended === 1 ? "has" : "have"} ended, and stay as they are.` : "";
      return { selected: planned, words: `${planned === 0 ? "Nothing of this is open any more." : hitsInWords(hits)}${also}` };
    },
    run: (reason, force, tell, signal) => "ids" in what
      ? oneByOne(rest, reason, force, tell, signal)
      : atOnce({ ...what.where, created_before: asOf }, planned, reason, force, tell, signal),
  });
}

/**
 * @param {Where} where
 * @param {AbortSignal} [signal]
 * @returns {Promise<{selected: number, as_of: string | null, hits: Hits}>}
 */
async function dryRun(where, signal) {
  const none = { executions: 0, descendants: 0, tasks: 0, attempts: 0, isWhole: true };
  if (where.statuses.length === 0) return { selected: 0, as_of: null, hits: none };
  const told = await call("POST", "/api/v1/executions/cancel", { where, dry_run: true }, signal);
  return { ...told, hits: { ...none, ...told.hits, executions: told.selected } };
}

/** @param {string[]} ids */
async function looked(ids) {
  /** @type {string[]} */
  const open = [];
  await forEach(ids, async (id) => {
    const found = await call("GET", executionPath(id)).catch((error) => {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    });
    if (found !== null && OPEN.includes(found.status)) open.push(id);
  });
  const tree = await openTree(open);
  const descendants = Math.max(0, tree.executions - open.length);
  /** @type {Hits} */
  const hits = { executions: open.length, descendants, tasks: tree.tasks, attempts: null, isWhole: tree.isWhole };
  return { ended: ids.length - open.length, hits };
}

/** @param {Hits} hits */
function hitsInWords({ executions, descendants, tasks, attempts, isWhole }) {
  const least = isWhole ? "" : "at least ";
  const parts = [`${counted(executions, "open execution", "open executions")} will be cancelled`];
  if (descendants) parts.push(`with ${least}${counted(descendants, "execution", "executions")} below ${executions === 1 ? "it" : "them"}`);
  const open = tasks === 0 && isWhole ? "no open task" : `${least}${counted(tasks, "open task", "open tasks")}`;
  parts.push(`${descendants ? "and" : "with"} ${open}`);
  const work = attempts === null ? "" : ` ${counted(attempts, "attempt is", "attempts are")} at work now, and will be stopped.`;
  return `${parts.join(" ")}.${work}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * @param {{ids: string[], counts: Record<string, number>}} rest afterwards those whose answers were lost, and what all others met
 * @param {string | null} reason
 * @param {boolean} force
 * @param {(progress: Progress) => void} tell
 * @param {AbortSignal} signal
 * @returns {Promise<Progress>}
 */
async function oneByOne(rest, reason, force, tell, signal) {
  /** @type {Progress} */
  const progress = { done: 0, total: rest.ids.length, counts: { ...rest.counts } };
  /** @type {string[]} */
  const unknown = [];
  tell(progress);
  await forEach(rest.ids, async (id) => {
    if (signal.aborted) return;
    const result = await resultOf(id, reason, force);
    if (result === "UNKNOWN") unknown.push(id);
    else progress.counts[result] = (progress.counts[result] ?? 0) + 1;
    progress.done += 1;
    tell(progress);
  });
  Object.assign(rest, { ids: unknown, counts: progress.counts });
  return { ...progress, counts: { ...progress.counts, UNKNOWN: unknown.length } };
}

/**
 * What a request met. One that fails must not end the others, which go on all the same.
 * @param {string} id
 * @param {string | null} reason
 * @param {boolean} force
 * @returns {Promise<string>}
 */
async function resultOf(id, reason, force) {
  try {
    return (await call("POST", `${executionPath(id)}/cancel`, { reason, force })).result;
  } catch (error) {
    if (!(error instanceof Problem) || isLost(error)) return "UNKNOWN";
    return error.status === 404 ? "NOT_FOUND" : "REFUSED";
  }
}

/**
 * @param {Where} where
 * @param {number} planned
 * @param {string | null} reason
 * @param {boolean} force
 * @param {(progress: Progress) => void} tell
 * @param {AbortSignal} signal
 * @returns {Promise<Progress>}
 */
async function atOnce(where, planned, reason, force, tell, signal) {
  const left = { ...where, statuses: where.statuses.filter((each) => NOT_ASKED_YET.includes(each)) };
  let isOver = false;
  const looking = setInterval(async () => {
    const rest = await dryRun(left, signal).catch(() => null);
    // An answer that comes behind the last one must not stand in its place.
    if (rest !== null && !isOver) tell({ done: Math.max(0, planned - rest.selected), total: planned, counts: {} });
  }, LOOK_MS);
  tell({ done: 0, total: planned, counts: {} });
  try {
    const { selected, counts } = await call("POST", "/api/v1/executions/cancel", { where, reason, force }, signal);
    return { done: selected, total: selected, counts };
  } finally {
    isOver = true;
    clearInterval(looking);
  }
}

// @ts-check
/** Cancelling many executions: first what would be hit, then step by step, with what each request met. */

import { call, executionPath, Problem } from "./api.js";
import { askToCancel } from "./dialog.js";

export const OPEN = ["PENDING", "RUNNING", "WAITING", "CANCELLING"];

const NOT_ASKED_YET = ["PENDING", "RUNNING", "WAITING"];
const AT_ONCE = 4;
const LOOK_MS = 700;

/** @typedef {import("./dialog.js").Progress} Progress */
/** @typedef {Record<string, unknown> & {statuses: string[]}} Where */

/**
 * @param {{ids: string[]} | {where: Where}} what those ids, or all that a filter selects
 * @param {() => void} done told when nothing more is asked
 */
export function cancelMany(what, done) {
  let planned = 0;
  /** @type {string | null} */
  let asOf = null;
  askToCancel({
    title: "Cancel executions", confirm: "Cancel them", mayForce: true, done,
    plan: async () => {
      let open = 0;
      let ended = 0;
      if ("ids" in what) ({ open, ended } = await looked(what.ids));
      else ({ selected: open, as_of: asOf } = await dryRun(what.where));
      planned = open;
      const also = ended ? ` ${ended.toLocaleString("en")} more ${ended === 1 ? "has" : "have"} ended, and stay as they are.` : "";
      return { selected: open, words: open === 0
        ? `Nothing of this is open any more.${also}`
        : `${open.toLocaleString("en")} open ${open === 1 ? "execution" : "executions"} will be cancelled, with their open tasks and what they spawned.${also}` };
    },
    run: (reason, force, tell, signal) => "ids" in what
      ? oneByOne(what.ids, reason, force, tell, signal)
      : atOnce({ ...what.where, created_before: asOf }, planned, reason, force, tell, signal),
  });
}

/**
 * @param {Where} where
 * @param {AbortSignal} [signal]
 * @returns {Promise<{selected: number, as_of: string | null}>}
 */
async function dryRun(where, signal) {
  if (where.statuses.length === 0) return { selected: 0, as_of: null };
  return call("POST", "/api/v1/executions/cancel", { where, dry_run: true }, signal);
}

/** @param {string[]} ids */
async function looked(ids) {
  let open = 0;
  let ended = 0;
  await forEach(ids, async (id) => {
    const found = await call("GET", executionPath(id)).catch((error) => {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    });
    if (found !== null && OPEN.includes(found.status)) open += 1;
    else ended += 1;
  });
  return { open, ended };
}

/**
 * @param {string[]} ids
 * @param {string | null} reason
 * @param {boolean} force
 * @param {(progress: Progress) => void} tell
 * @param {AbortSignal} signal
 * @returns {Promise<Progress>}
 */
async function oneByOne(ids, reason, force, tell, signal) {
  /** @type {Progress} */
  const progress = { done: 0, total: ids.length, counts: {} };
  await forEach(ids, async (id) => {
    if (signal.aborted) return;
    let result = "REFUSED";
    try {
      result = (await call("POST", `${executionPath(id)}/cancel`, { reason, force })).result;
    } catch (error) {
      if (!(error instanceof Problem) || ![403, 404].includes(error.status)) throw error;
      if (error.status === 404) result = "NOT_FOUND";
    }
    progress.counts[result] = (progress.counts[result] ?? 0) + 1;
    progress.done += 1;
    tell(progress);
  });
  return progress;
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

/**
 * A few at a time.
 * @param {string[]} ids
 * @param {(id: string) => Promise<void>} act
 */
async function forEach(ids, act) {
  const rest = [...ids];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let id = rest.shift(); id !== undefined; id = rest.shift()) await act(id);
  }));
}

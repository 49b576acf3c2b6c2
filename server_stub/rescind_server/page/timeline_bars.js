// @ts-check
/** How the bars of a row begin and end. */

/** @typedef {import("./timeline_model.js").Row} Row */
/** @typedef {import("./timeline_model.js").Phase} Phase */

/**
 * @param {Row} row
 * @param {Phase} phase
 * @param {number} at
 * @param {number} attempt
 */
export function begin(row, phase, at, attempt) {
  row.bars.push({ phase, begin: at, end: null, attempt });
}

/**
 * @param {Row} row
 * @param {number} at
 * @param {boolean} [failed] whether the attempt failed
 */
export function endLife(row, at, failed = false) {
  for (const bar of row.bars) {
    if (bar.end !== null || bar.phase === "requested" || bar.phase === "delivered") continue;
    bar.end = at;
    bar.failed = failed;
  }
}

/**
 * @param {Row} row
 * @param {number} at
 * @param {number} attempt
 */
export function endStop(row, at, attempt) {
  for (const bar of row.bars) {
    if (bar.end === null && bar.attempt === attempt && (bar.phase === "requested" || bar.phase === "delivered")) bar.end = at;
  }
}

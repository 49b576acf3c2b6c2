// @ts-check
/** All that should have stopped or gone on, and did not; with what to do about it. */

import { element, fill, foreign } from "./dom.js";
import { reading, stackingTable } from "./polling.js";
import { duration, instant, now, statusBadge } from "./words.js";

/**
 * @param {import("./main.js").Frame} frame
 * @returns {() => void}
 */
export function stuckView(frame) {
  frame.title("Stuck");
  const place = element("div");
  fill(frame.place, element("h1", {}, "Stuck"), place);
  return reading(frame, place, () => ["/api/v1/stuck", { limit: 500 }], (answer) => {
    if (!answer.tasks.length && !answer.waiting.length && !answer.parked.length) {
      return fill(place, element("p.state", { test: "empty" }, "Nothing is stuck: all that was to stop has stopped, and all that waits for a worker has one."));
    }
    fill(place,
      part("Not stopped, or silent", ["Task", "Why", "Since", "What to do"], answer.tasks.map(taskRow),
        answer.task_count > answer.tasks.length ? `and ${answer.task_count - answer.tasks.length} more` : ""),
      part("Waiting for a worker", ["Kind", "Queue", "How many", "Since", "Workers"], answer.waiting.map(waitingRow)),
      part("Parked: their code has changed", ["Kind", "How many", "What to mend"], answer.parked.map(parkedRow)));
  }).end;
}

/**
 * @param {string} title
 * @param {string[]} columns
 * @param {HTMLElement[]} rows
 * @param {string} [more]
 */
function part(title, columns, rows, more = "") {
  if (!rows.length) return null;
  return element("section", {}, element("h2", {}, title), stackingTable(title, columns, rows),
    more && element("p.quiet", {}, more));
}

/** @param {any} stuck */
function taskRow(stuck) {
  const task = stuck.task;
  return element("tr", { test: "stuck-task", "data-reason": stuck.reason },
    element("td", {}, foreign(task.kind, 100), " ", statusBadge(task.stop_state ?? task.status),
      element("span.sub", {}, "of ", element("a", { href: `/page/executions/${encodeURIComponent(task.execution_id)}` }, foreign(task.execution_id, 100)),
        task.worker_id ? element("span", {}, " on ", foreign(task.worker_id, 60)) : null)),
    element("td", {}, element("span.bad", {}, stuck.reason.toLowerCase().replaceAll("_", " "))),
    element("td.number", {}, duration(now() - instant(stuck.since))),
    element("td.advice", {}, stuck.advice));
}

/** @param {any} waiting */
function waitingRow(waiting) {
  return element("tr", { test: "stuck-waiting", "data-reason": "WAITING" },
    element("td", {}, `${waiting.subject} `, foreign(waiting.kind, 100)), element("td", {}, foreign(waiting.queue, 100)),
    element("td.number", {}, waiting.count), element("td.number", {}, duration(now() - instant(waiting.since))),
    element("td.number", {}, waiting.workers ? `${waiting.workers} busy` : element("span.bad", {}, "none")));
}

/** @param {any} parked */
function parkedRow(parked) {
  return element("tr", { test: "stuck-parked", "data-reason": "PARKED" },
    element("td", {}, element("a", { href: `/page/executions/${encodeURIComponent(parked.execution_id)}` }, foreign(parked.kind, 100))),
    element("td.number", {}, parked.count), element("td", {}, foreign(parked.reason, 500)));
}

// @ts-check
/** Who works: slots, what runs, last contact, and what does not stop. */

import { executionLink } from "./children.js";
import { button, element, fill, foreign } from "./dom.js";
import { reading, stackingTable } from "./polling.js";
import { duration, instant, now, time } from "./words.js";

const COLUMNS = ["Worker", "Connection", "Slots", "Agents held", "Stopping", "Unresponsive", "At work now", "Queues", "Can run"];
const SHOWN = 5;
/** Of which workers all is shown: the view is drawn anew again and again. @type {Set<string>} */
const opened = new Set();

/**
 * @param {import("./main.js").Frame} frame
 * @returns {() => void}
 */
export function workersView(frame) {
  frame.title("Workers");
  const place = element("div");
  fill(frame.place, element("h1", {}, "Workers"), place);
  return reading(frame, place, () => ["/api/v1/workers", { page_size: 500 }], (answer) => {
    if (!answer.workers.length) {
      return fill(place, element("p.state", { test: "empty" }, "No worker is connected. Start one: rescind worker MODULE"));
    }
    fill(place, stackingTable("Workers", COLUMNS, answer.workers.map(row)));
  }).end;
}

/**
 * @typedef {{subject: string, execution_id: string, agent: string, kind: string, task_id: string | null, attempt: number, since: string | null,
 *   stopping: boolean}} Running
 */

/** @param {any} worker */
function row(worker) {
  const used = Math.min(1, worker.running / Math.max(1, worker.slots));
  const bar = element("span.slots", { "aria-hidden": "true" }, element("span"));
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${used * 100}%`;
  return element("tr", {
    test: "worker", "data-id": worker.worker_id, "data-connected": String(worker.connected), "data-unresponsive": worker.unresponsive,
  },
  element("th", { scope: "row" }, foreign(worker.worker_id, 100)),
  element("td", {}, connection(worker), element("span.sub", {}, worker.polls ? "last asked " : "last contact ", time(worker.last_contact),
    worker.lease_ends && !worker.connected ? element("span", {}, ", lease ends ", time(worker.lease_ends)) : null)),
  element("td.number", {}, bar, `${worker.running} of ${worker.slots}`),
  element("td.number", {}, worker.held),
  element("td.number", {}, worker.stopping ? element("span.warn", {}, `◑ ${worker.stopping}`) : "0"),
  element("td.number", {}, worker.unresponsive ? element("span.bad", {}, `! ${worker.unresponsive}`) : "0"),
  element("td.running", {}, atWork(worker)),
  element("td", {}, ...labels(worker.queues)),
  element("td.kinds", {}, kinds("agents", worker.agents), kinds("workflows", worker.workflows), kinds("tasks", worker.tasks)));
}

/** @param {any} worker */
function connection(worker) {
  if (worker.connected) return element("span.good", {}, "● connected");
  if (worker.polls) return element("span.good", {}, "● asks for work");
  return element("span.bad", {}, `○ away for ${duration(now() - instant(worker.last_contact))}`);
}

/** What it does now, the longest at work first. @param {any} worker */
function atWork(worker) {
  /** @type {Running[]} */
  const attempts = worker.attempts;
  const unlisted = unlistedInWords(worker);
  if (!attempts.length) return element("span.quiet", {}, unlisted ? `nothing; ${unlisted}` : "nothing");
  const isWhole = opened.has(worker.worker_id);
  const list = element("ul.at-work", {}, ...attempts.slice(0, isWhole ? attempts.length : SHOWN).map(attempt));
  const rest = attempts.slice(SHOWN);
  const more = rest.length > 0 && !isWhole && button(`show ${rest.length} more`, "attempts-more", () => {
    opened.add(worker.worker_id);
    list.append(...rest.map(attempt));
    /** @type {HTMLElement} */ (more).remove();
  }, { class: "link" });
  return element("div", {}, list, more, unlisted && element("span.sub", {}, `and ${unlisted}`));
}

/** What it has besides: the server lists a few of its tasks, and no agent that waits. @param {any} worker */
function unlistedInWords(worker) {
  const listed = worker.attempts.filter((/** @type {Running} */ each) => each.subject === "task").length;
  const tasks = worker.running - listed;
  const agents = worker.held - (worker.attempts.length - listed);
  return [
    tasks > 0 && `${tasks.toLocaleString("en")} more ${tasks === 1 ? "task" : "tasks"}`,
    agents > 0 && `${agents.toLocaleString("en")} ${agents === 1 ? "agent that is held, and waits" : "agents that are held, and wait"}`,
  ].filter(Boolean).join(", ");
}

/** @param {Running} running */
function attempt(running) {
  return element("li", {
    test: "running-attempt", "data-subject": running.subject, "data-execution": running.execution_id, "data-task": running.task_id,
    "data-stopping": running.stopping ? "true" : null,
  }, element("span.quiet", {}, `${running.subject} `), foreign(running.kind, 100), running.attempt > 1 ? ` #${running.attempt}` : "",
  running.subject === "task" ? " of " : " ", executionLink(running.execution_id, "attempt-link"),
  running.since && element("span.quiet", {}, ` for ${duration(now() - instant(running.since))}`),
  running.stopping && element("span.warn", {}, " ◑ stopping"));
}

/** @param {string[]} names */
function labels(names) {
  return names.map((each) => element("span.label", {}, foreign(each, 60)));
}

/**
 * @param {string} what
 * @param {string[]} names
 */
function kinds(what, names) {
  return names.length > 0 && element("div", { "data-kinds": what }, element("span.quiet", {}, `${what} `), ...labels(names));
}

// @ts-check
/** The task that is selected in the timeline: how it stands, its stops, and what can be done about it. */

import { call, get, queryOf } from "./api.js";
import { askToCancel } from "./dialog.js";
import { announce, button, element, fill, foreign, json } from "./dom.js";
import { Retry } from "./retry.js";
import { isOpenStop, rowStatus } from "./timeline_model.js";
import { duration, instant, inWords, shownWords, statusBadge, time } from "./words.js";

/** @typedef {import("./timeline_model.js").Row} Row */

const AGAIN_MS = 100;

export class TaskDetail {
  /**
   * @param {string} executionId
   * @param {boolean} mayAct
   * @param {() => void} onClose
   */
  constructor(executionId, mayAct, onClose) {
    this.executionId = executionId;
    this.mayAct = mayAct;
    this.onClose = onClose;
    this.element = element("section.detail", { test: "task-detail", "aria-label": "Selected", hidden: true });
    this.head = element("div");
    this.body = element("div");
    this.element.append(this.head, this.body);
    /** @type {Row | null} */
    this.row = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.retry = new Retry(() => this.read());
    this.asked = 0;
  }

  end() {
    clearTimeout(this.timer);
    this.retry.end();
  }

  /** @param {Row | null} row */
  show(row) {
    this.row = row;
    this.retry.succeeded();
    this.element.hidden = row === null;
    fill(this.body);
    if (row === null) return;
    this.draw();
    this.read();
  }

  /** @param {string} taskId */
  changed(taskId) {
    if (this.row?.taskId !== taskId) return;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), AGAIN_MS);
  }

  /** The head stands on the history alone: it changes with it. */
  draw() {
    const row = this.row;
    if (!row) return;
    const status = rowStatus(row);
    const isOpen = row.kind === "task" && (row.status === "PENDING" || row.status === "RUNNING");
    const isStopping = row.stop !== null && isOpenStop(row.stop);
    const focused = document.activeElement instanceof HTMLElement && this.head.contains(document.activeElement)
      ? document.activeElement.dataset.testid : null;
    fill(this.head, element("div.head-line", {},
      element("h2", {}, foreign(row.name, 200)), statusBadge(status, row.stop && !isStopping ? inWords(row.stop) : "", shownWords(status, row.status)),
      element("span.spacer"),
      this.mayAct && isOpen && button("Cancel task…", "task-cancel", () => this.cancel(false), { class: "danger" }),
      this.mayAct && row.kind === "task" && isStopping && button("End by force…", "task-force", () => this.cancel(true), { class: "danger" }),
      button("Close", "task-close", () => this.onClose(), { class: "quiet-button" })),
    row.why && element("p.why", {}, foreign(row.why, 1_000)));
    if (focused) /** @type {HTMLElement | null} */ (this.head.querySelector(`[data-testid="${focused}"]`))?.focus();
  }

  async read() {
    const row = this.row;
    if (row?.childId) {
      fill(this.body, element("p", {}, "Its own page: ",
        element("a", { href: `/page/executions/${encodeURIComponent(row.childId)}`, test: "child-link" }, foreign(row.childId, 300))));
    }
    if (!row?.taskId) return;
    // An answer may come after that to a later question.
    const own = this.asked += 1;
    let task;
    try {
      task = await get(taskPath(row.taskId));
    } catch (error) {
      if (own === this.asked) this.retry.failed(error);
      return;
    }
    if (own !== this.asked || this.row !== row) return;
    this.retry.succeeded();
    const ended = task.stops.some((/** @type {{ended_at: string | null}} */ each) => each.ended_at === null)
      ? ["decided", element("span", {}, time(task.ended_at), ", still stopping")] : ["ended", time(task.ended_at)];
    const facts = [
      ["task", element("span.mono", {}, task.task_id)], ["queue", foreign(task.queue, 100)], ["attempts", task.attempts],
      ["worker", task.worker_id ? foreign(task.worker_id, 100) : null], ["scheduled", time(task.scheduled_at)],
      ["started", task.started_at ? time(task.started_at) : null], task.ended_at ? ended : ["ended", null],
      ["progress", task.progress === null ? null : `${Math.round(task.progress * 100)} %`],
      ["cancelled by", task.cause ? element("span", {}, foreign(task.cause.by, 100), ` (${task.cause.source.toLowerCase().replaceAll("_", " ")})`,
        task.cause.reason ? element("span", {}, ": ", foreign(task.cause.reason, 500)) : null) : null],
    ];
    fill(this.body,
      element("dl.facts", {}, ...facts.filter(([, value]) => value !== null).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      task.stops.length ? element("table.stops", {}, element("caption.hidden", {}, "Stops"),
        element("thead", {}, element("tr", {}, ...["Attempt", "Stop", "Requested", "Delivered", "Ended"].map((each) => element("th", { scope: "col" }, each)))),
        element("tbody", {}, ...task.stops.map(stopRow))) : null,
      task.failure && element("div.why.bad", {}, `${task.failure.error_type || task.failure.kind}: `, foreign(task.failure.message)),
      element("details", {}, element("summary", {}, "Input and output"), json(task.input), task.status === "COMPLETED" ? json(task.output) : null));
  }

  /** @param {boolean} force */
  cancel(force) {
    const row = this.row;
    if (!row) return;
    askToCancel({
      title: force ? "End this task by force" : "Cancel this task", confirm: force ? "End it" : "Cancel it", force, mayForce: true, closesWhenDone: true,
      plan: async () => ({ selected: 1, words: ["Task ", foreign(row.name, 200), ` (${row.taskId}) is ${shownWords(rowStatus(row), row.status)}. It alone will be hit; its agent goes on.`] }),
      run: async (reason, byForce, _, signal) => {
        const query = queryOf({ execution_id: this.executionId, reason, force: byForce ? "true" : null });
        const path = taskPath(row.taskId ?? "");
        const answer = await call("DELETE", path + query, undefined, signal).catch(async (error) => {
          // What was being stopped is ended by force, and yet it is told that the task was cancelled before.
          if (byForce && error.status === 400) return { message: forcedWords(await get(path, {}, signal)) ?? error.message };
          throw error;
        });
        announce(answer.message);
        return { done: 1, total: 1, counts: {} };
      },
    });
  }
}

/** @param {string} taskId */
function taskPath(taskId) {
  return `/api/v1/tasks/${encodeURIComponent(taskId)}`;
}

/**
 * What became of the stops of a task that was to be ended by force, as the record has it.
 * @param {{stops: {forced_at: string | null, ended_at: string | null}[]}} task
 * @returns {string | null} null if it had nothing to be stopped
 */
function forcedWords({ stops }) {
  if (stops.length === 0) return null;
  return stops.some((each) => each.forced_at !== null) ? "Ended by force." : "It had stopped already.";
}

/** @param {any} stop */
function stopRow(stop) {
  const after = (/** @type {string | null} */ at) => at === null ? "–" : `+${duration(instant(at) - instant(stop.requested_at))}`;
  return element("tr", {}, element("td.number", {}, stop.attempt), element("td", {}, statusBadge(stop.state, stop.forced_at ? "by force" : "")),
    element("td", {}, time(stop.requested_at)), element("td", {}, after(stop.delivered_at)), element("td", {}, after(stop.ended_at)));
}

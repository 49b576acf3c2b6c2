// @ts-check
/** One execution: how it stands, what happened in it along the time, what it says, and what can be done about it. */

import { call, executionPath, get } from "./api.js";
import { Children, executionLink, openTree, treeInWords } from "./children.js";
import { Conversation, Checkpoints } from "./conversation.js";
import { askToCancel } from "./dialog.js";
import { announce, button, element, fill, foreign, json } from "./dom.js";
import { HistoryList } from "./history.js";
import { Output } from "./output.js";
import { Signals } from "./signals.js";
import { Stream } from "./stream.js";
import { Tabs } from "./tabs.js";
import { TaskDetail } from "./task_detail.js";
import { Timeline } from "./timeline.js";
import { TimelineModel } from "./timeline_model.js";
import { duration, instant, now, shownStatus, statusBadge, time } from "./words.js";

/** @typedef {import("./stream.js").StreamEvent} StreamEvent */

const ENDED = ["COMPLETED", "FAILED", "CANCELLED"];
const HISTORY = new Set(["status", "task", "cancellation", "history"]);
const STREAMED = new Set(["token", "progress", "output", "data", "log", "failure", "streamed", "missed"]);

/**
 * @param {import("./main.js").Frame} frame
 * @returns {() => void}
 */
export function executionView(frame) {
  return new ExecutionPage(frame).end;
}

class ExecutionPage {
  /** @param {import("./main.js").Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.id = frame.path.join("/");
    this.path = executionPath(this.id);
    this.model = new TimelineModel();
    this.header = element("header.execution", { test: "execution-header" });
    /** @type {any} */
    this.execution = null;
    this.isReading = false;
    this.readAgain = false;
    this.isOver = false;
    /** @type {Stream | null} */
    this.stream = null;
    this.detail = new TaskDetail(this.id, frame.mayAct, () => this.timeline.select(-1));
    this.timeline = new Timeline(this.model, (row) => this.detail.show(row));
    this.output = new Output((taskId) => this.model.byKey.get(`task ${taskId}`)?.name ?? "task");
    this.conversation = new Conversation(this.path);
    this.checkpoints = new Checkpoints(this.path);
    this.children = new Children(this.id);
    this.history = new HistoryList(this.model);
    this.signals = new Signals(this.path, frame.mayAct);
    this.value = element("div");
    this.tabs = new Tabs([
      ["timeline", "Timeline", element("div", {}, this.timeline.element, this.detail.element), () => this.timeline.draw()],
      ["output", "Output", this.output.element, () => this.output.shown()],
      ["conversation", "Conversation", this.conversation.element, () => this.conversation.shown()],
      ["checkpoints", "Checkpoints", this.checkpoints.element, () => this.checkpoints.shown()],
      ["children", "Children", this.children.element, () => this.children.shown()],
      ["signals", "Signals", this.signals.element, () => {}],
      ["history", "History", this.history.element, () => this.history.shown()],
      ["value", "Input and output", this.value, () => {}],
    ]);
    frame.title(this.id);
    fill(frame.place, element("p.state", { test: "loading" }, "Loading…"));
    this.clock = setInterval(() => this.tick(), 1_000);
    this.end = () => {
      this.isOver = true;
      this.stream?.close();
      this.timeline.end();
      this.children.end();
      clearInterval(this.clock);
    };
    this.begin();
  }

  async begin() {
    try {
      this.execution = await get(this.path);
    } catch (error) {
      if (this.isOver) return;
      fill(this.frame.place, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", () => this.begin())));
      this.frame.ready();
      return;
    }
    if (this.isOver) return;
    fill(this.frame.place, this.header, this.tabs.element);
    this.drawHeader();
    this.tabs.reveal();
    this.frame.ready();
    this.stream = new Stream(`${this.path}/events?output=true&attach=false`, (events) => this.take(events), (connection) => {
      this.frame.connection(connection);
      if (connection === "ended") this.followStops();
    });
  }

  /** @param {StreamEvent[]} events */
  take(events) {
    const streamed = [];
    let isNews = false;
    for (const event of events) {
      if (HISTORY.has(event.name)) {
        if (this.see(event.data) && (event.name === "status" || event.name === "cancellation")) isNews = true;
      } else if (STREAMED.has(event.name)) streamed.push(event);
    }
    this.output.take(streamed);
    this.history.changed();
    this.timeline.draw();
    if (isNews) this.read();
  }

  /**
   * @param {import("./timeline_model.js").HistoryEvent} event
   * @returns {boolean} whether it is new
   */
  see(event) {
    if (!this.model.see(event)) return false;
    if (event.type === "ENTRY_APPENDED") this.conversation.changed();
    else if (event.type === "CHECKPOINT_SAVED") this.checkpoints.changed();
    else if (event.type === "SIGNAL_RECEIVED") this.signals.received(event);
    else if (event.type.startsWith("CHILD_")) this.children.changed();
    if (event.task_id) this.detail.changed(event.task_id);
    return true;
  }

  /** Events end with the execution; how the stopping of its work goes on stands in its history. */
  async followStops() {
    await this.readHistory();
    if (this.isOver || this.model.stopping === 0) return;
    this.stream = new Stream(`/api/v1/events?id_prefix=${encodeURIComponent(this.id)}`, () => this.readHistory(), this.frame.connection);
  }

  async readHistory() {
    /** @type {number | null} */
    let after = this.model.last;
    while (after !== null && !this.isOver) {
      /** @type {any} */
      const page = await get(`${this.path}/history`, { after, limit: 1_000 }).catch(() => null);
      if (page === null) return;
      for (const event of page.events) this.see(event);
      after = page.next_after;
    }
    this.history.changed();
    this.timeline.draw();
    await this.read();
    if (this.model.stopping === 0 && this.model.ended !== null && !this.isOver) {
      this.stream?.close();
      this.frame.connection("ended");
    }
  }

  /** Ask how it stands: nothing is shown before the record has it. */
  async read() {
    if (this.isReading) {
      this.readAgain = true;
      return;
    }
    this.isReading = true;
    do {
      this.readAgain = false;
      const found = await get(this.path).catch(() => null);
      if (this.isOver) return;
      if (found !== null) {
        this.execution = found;
        this.drawHeader();
      }
    } while (this.readAgain);
    this.isReading = false;
  }

  tick() {
    const took = this.header.querySelector(".took");
    if (took && this.execution?.ended_at === null) took.textContent = duration(now() - instant(this.execution.created_at));
  }

  drawHeader() {
    const execution = this.execution;
    const shown = shownStatus(execution);
    const isOpen = !ENDED.includes(execution.status);
    const further = (execution.stopping ?? 0) > 0 ? `${execution.stopping} at work` : execution.parked ? "parked" : "";
    const facts = [
      ["kind", foreign(execution.kind, 200)], ["queue", foreign(execution.queue, 200)], ["by", foreign(execution.created_by, 200)],
      ["parent", execution.parent_id ? executionLink(execution.parent_id, "parent-link") : null],
      ["started", time(execution.created_at)], ["ended", execution.ended_at ? time(execution.ended_at) : null],
      ["took", element("span.took", {}, duration((execution.ended_at ? instant(execution.ended_at) : now()) - instant(execution.created_at)))],
    ];
    const focused = document.activeElement instanceof HTMLElement && this.header.contains(document.activeElement)
      ? document.activeElement.dataset.testid : null;
    fill(this.header,
      element("div.head-line", {},
        element("h1", { test: "execution-id" }, foreign(this.id, 300)), statusBadge(shown, further), element("span.spacer"),
        this.frame.mayAct && isOpen && execution.status !== "CANCELLING" && button("Cancel…", "cancel-execution", () => this.cancel(false), { class: "danger" }),
        this.frame.mayAct && (execution.status === "CANCELLING" || shown === "STOPPING")
          && button("End by force…", "force-execution", () => this.cancel(true), { class: "danger" })),
      element("dl.facts", {}, ...facts.filter(([, value]) => value !== null).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
        ...Object.entries(execution.labels).slice(0, 20).map(([name, value]) => element("div", {}, element("dt", {}, foreign(name, 60)), element("dd", {}, foreign(value, 200))))),
      execution.cause && element("p.why", { test: "execution-cause" }, `Cancelled (${execution.cause.source.toLowerCase().replaceAll("_", " ")}) by `,
        foreign(execution.cause.by, 200), execution.cause.reason ? element("span", {}, ": ", foreign(execution.cause.reason, 1_000)) : null),
      execution.failure && element("div.why.bad", { test: "execution-failure" }, `${execution.failure.error_type || execution.failure.kind}: `, foreign(execution.failure.message)),
      execution.parked && element("p.why.warn", {}, "Parked: ", foreign(execution.parked)));
    if (focused) /** @type {HTMLElement | null} */ (this.header.querySelector(`[data-testid="${focused}"]`))?.focus();
    this.signals.setOpen(isOpen);
    const parts = [element("h2", {}, "Input"), json(execution.input)];
    if (execution.status === "COMPLETED") parts.push(element("h2", {}, "Output"), json(execution.output));
    fill(this.value, ...parts);
  }

  /** @param {boolean} force */
  cancel(force) {
    askToCancel({
      title: force ? "End this execution by force" : "Cancel this execution", confirm: force ? "End it" : "Cancel it",
      force, mayForce: true, closesWhenDone: true,
      plan: async () => {
        const tree = await openTree(this.id);
        const stopping = this.model.stopping ? ` ${this.model.stopping} already being stopped.` : "";
        return { selected: tree.executions, words: `${treeInWords(this.id, tree)}${stopping}` };
      },
      run: async (reason, byForce, _, signal) => {
        const { result } = await call("POST", `${this.path}/cancel`, { reason, force: byForce }, signal);
        announce(result === "CANCELLED" ? "The request is decided." : `It ${result.toLowerCase().replaceAll("_", " ")}.`);
        return { done: 1, total: 1, counts: { [result]: 1 } };
      },
    });
  }
}

// @ts-check
/** One execution: how it stands, what happened in it along the time, what it says, and what can be done about it. */

import { call, executionPath, get } from "./api.js";
import { ChildStops } from "./child_stops.js";
import { Children, executionLink, openTree, treeInWords } from "./children.js";
import { Conversation, Checkpoints } from "./conversation.js";
import { askToCancel } from "./dialog.js";
import { announce, button, element, fill, foreign, json } from "./dom.js";
import { HistoryList } from "./history.js";
import { Journal } from "./journal.js";
import { Output, UNKNOWN } from "./output.js";
import { Retry } from "./retry.js";
import { Signals } from "./signals.js";
import { Stream } from "./stream.js";
import { Tabs } from "./tabs.js";
import { TaskDetail } from "./task_detail.js";
import { Timeline } from "./timeline.js";
import { TimelineModel } from "./timeline_model.js";
import { duration, furtherWords, instant, inWords, now, OPEN, resultWords, shownStatus, standingBadge, time } from "./words.js";

/** @typedef {import("./stream.js").StreamEvent} StreamEvent */

const LOOK_MS = 3_000;
/** How often it is asked at most how an execution stands. */
const PACE_MS = 200;
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
    /** What the header shows: it is drawn anew if that is something else. */
    this.drawn = "";
    this.isReading = false;
    this.readAgain = false;
    this.isReadingHistory = false;
    this.readHistoryAgain = false;
    this.isFollowingStops = false;
    this.isOver = false;
    this.reading = new Retry(() => this.read());
    this.readingHistory = new Retry(() => this.readHistory());
    this.looked = 0;
    this.readAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.readTimer = undefined;
    this.beginning = new Retry(() => this.begin());
    /** @type {Stream | null} */
    this.stream = null;
    /** The last event that its own stream told of. @type {string | null} */
    this.lastId = null;
    this.run = 1;
    this.detail = new TaskDetail(this.id, frame.mayAct, () => this.timeline.leave());
    this.timeline = new Timeline(this.model, (row) => this.detail.show(row));
    this.output = new Output((taskId) => this.model.byKey.get(`task ${taskId}`)?.name ?? UNKNOWN);
    this.conversation = new Conversation(this.path);
    this.checkpoints = new Checkpoints(this.path);
    this.children = new Children(this.id);
    this.childStops = new ChildStops(this.id, this.model, () => { this.journal.changed(); this.timeline.draw(); });
    this.history = new HistoryList(this.model);
    this.journal = new Journal(this.model);
    this.signals = new Signals(this.path, frame.mayAct);
    this.value = element("div");
    this.tabs = new Tabs([
      ["timeline", "Timeline", element("div", {}, this.timeline.element, this.detail.element), () => this.timeline.draw()],
      ["output", "Output", this.output.element, () => this.output.shown()],
      ["conversation", "Conversation", this.conversation.element, () => this.conversation.shown()],
      ["journal", "Journal", this.journal.element, () => this.journal.shown()],
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
      const ending = [this.children, this.childStops, this.conversation, this.checkpoints, this.detail, this.beginning, this.reading, this.readingHistory];
      for (const each of ending) each.end();
      clearInterval(this.clock);
      clearTimeout(this.readTimer);
    };
    this.begin();
  }

  async begin() {
    let found;
    try {
      found = await get(this.path);
    } catch (error) {
      if (this.isOver || this.stream) return;
      fill(this.frame.place, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", () => this.begin())));
      this.frame.connection(this.beginning.failed(error) ? "reconnecting" : "ended");
      this.frame.ready();
      return;
    }
    this.beginning.succeeded();
    if (this.isOver || this.stream) return;
    this.execution = found;
    fill(this.frame.place, this.header, this.tabs.element);
    this.drawHeader();
    this.tabs.reveal();
    this.frame.ready();
    this.follow();
  }

  /** Follow what happens in it, behind what its stream has told of. */
  follow() {
    this.isFollowingStops = false;
    const stream = this.stream = new Stream(`${this.path}/events?output=true&attach=false`, (events) => this.take(events), (connection, problem) => {
      this.frame.connection(connection, problem);
      if (connection !== "ended") return;
      this.lastId = stream.lastId;
      this.followStops();
    }, this.lastId);
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
    this.output.named();
    this.seen();
    if (isNews) this.readSoon();
  }

  /** Much may happen in a moment: how it stands is read for all of it once. */
  readSoon() {
    this.readTimer ??= setTimeout(() => this.read(), Math.max(0, this.readAt + PACE_MS - performance.now()));
  }

  /** The model has gone on. */
  seen() {
    if (!this.isOpen()) this.model.ownStops(this.isKnown() ? this.stopping() : null, now());
    this.childStops.soon();
    this.history.changed();
    this.journal.changed();
    this.timeline.draw();
  }

  isOpen() {
    return OPEN.includes(this.execution.status);
  }

  /** Whether the server knows if something of it still stops, or its history tells. */
  isKnown() {
    return this.execution.stopping !== null || this.model.stopping > 0;
  }

  /** How much still stops, of it and below it. The history tells at once of its own attempts, and of nothing below it. */
  stopping() {
    return Math.max(this.model.stopping, this.execution.stopping ?? 0);
  }

  /**
   * @param {import("./timeline_model.js").HistoryEvent} event
   * @returns {boolean} whether it is new
   */
  see(event) {
    if (!this.model.see(event)) return false;
    this.journal.see(event);
    if (event.type === "ENTRY_APPENDED") this.conversation.changed();
    else if (event.type === "CHECKPOINT_SAVED") this.checkpoints.changed();
    else if (event.type === "EXECUTION_ACTIVATED") this.isRunAnew(event.details?.run);
    else if (event.type === "SIGNAL_RECEIVED") this.signals.received(event);
    else if (event.type.startsWith("CHILD_")) this.children.changed();
    if (event.task_id) this.detail.changed(event.task_id);
    return true;
  }

  /**
   * An agent that is run anew may go on from a checkpoint: what it had said behind that does not count.
   * @param {number | undefined} run
   */
  isRunAnew(run) {
    if (run === undefined || run === this.run) return;
    this.run = run;
    this.conversation.beginAnew();
    this.checkpoints.beginAnew();
  }

  /** Events end with the execution; how the stopping of its work goes on stands in its history, and in how it stands. */
  async followStops() {
    this.isFollowingStops = true;
    await this.readHistory();
    if (this.isOver || !this.isFollowingStops) return;
    this.stream = new Stream(`/api/v1/events?id_prefix=${encodeURIComponent(this.id)}`, () => this.readHistory(), this.frame.connection);
  }

  async readHistory() {
    this.readHistoryAgain = true;
    if (this.isReadingHistory || this.isOver) return;
    this.isReadingHistory = true;
    this.looked = performance.now();
    try {
      while (this.readHistoryAgain) {
        this.readHistoryAgain = false;
        await this.readRest();
      }
      this.readingHistory.succeeded();
    } catch (error) {
      this.readingHistory.failed(error);
    }
    this.isReadingHistory = false;
    if (this.isOver) return;
    this.seen();
    await this.read();
  }

  /** Read what the history has beyond what is known. */
  async readRest() {
    /** @type {number | null} */
    let after = this.model.last;
    while (after !== null && !this.isOver) {
      /** @type {any} */
      const page = await get(`${this.path}/history`, { after, limit: 1_000 });
      for (const event of page.events) this.see(event);
      after = page.next_after;
    }
  }

  /** Ask how it stands: nothing is shown before the record has it. */
  async read() {
    if (this.isReading) {
      this.readAgain = true;
      return;
    }
    clearTimeout(this.readTimer);
    this.readTimer = undefined;
    this.isReading = true;
    this.readAgain = false;
    this.readAt = performance.now();
    try {
      const found = await get(this.path);
      if (this.isOver) return;
      this.execution = found;
      this.seen();
      this.drawHeader();
      this.reading.succeeded();
      if (!this.readAgain) this.settle();
    } catch (error) {
      this.reading.failed(error);
    }
    this.isReading = false;
    if (this.readAgain && !this.isOver) this.readSoon();
  }

  /** All of it has stopped: there is nothing more to follow. A workflow that has failed may be let go on by hand. */
  settle() {
    if (!this.isFollowingStops || this.readingHistory.failures > 0) return;
    if (this.isOpen() && this.model.ended === null) {
      this.stream?.close();
      this.follow();
      return;
    }
    if (this.isOpen() || this.model.ended === null || this.stopping() > 0 || this.mayBeRetried()) return;
    this.isFollowingStops = false;
    this.stream?.close();
    this.frame.connection("ended");
  }

  mayBeRetried() {
    return this.execution.status === "FAILED" && this.execution.cause === null && this.model.run === null;
  }

  tick() {
    // What is below it may be told of by nothing else.
    if (this.isFollowingStops && performance.now() - this.looked > LOOK_MS && !document.hidden) this.readHistory();
    const took = this.header.querySelector(".took");
    if (took && this.execution?.ended_at === null) took.textContent = duration(now() - instant(this.execution.created_at));
  }

  drawHeader() {
    const execution = this.execution;
    const isOpen = this.isOpen();
    const standing = isOpen ? execution : { ...execution, stopping: this.isKnown() ? this.stopping() : null };
    const shown = shownStatus(standing);
    // What somebody is about to press stays where it is while nothing has changed.
    const drawn = JSON.stringify([standing, shown]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
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
        element("h1", { test: "execution-id" }, foreign(this.id, 300)), standingBadge(standing), element("span.spacer"),
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
    let still = 0;
    askToCancel({
      title: force ? "End this execution by force" : "Cancel this execution", confirm: force ? "End it" : "Cancel it",
      force, mayForce: true, closesWhenDone: true,
      plan: async () => {
        /** @type {any} */
        const execution = await get(this.path);
        still = execution.stopping ?? 0;
        if (!OPEN.includes(execution.status)) return { selected: still, words: this.stillInWords(execution) };
        const tree = await openTree([this.id]);
        const stopping = still > 0 ? ` Already being stopped: ${furtherWords(execution)}.` : "";
        return { selected: tree.executions, words: [...treeInWords(this.id, tree), stopping] };
      },
      run: async (reason, byForce, _, signal) => {
        const { result } = await call("POST", `${this.path}/cancel`, { reason, force: byForce }, signal);
        // By force a cancel goes into what is being stopped already, though the execution was cancelled before.
        const isForced = result.startsWith("ALREADY_") && byForce && still > 0;
        announce(result === "CANCELLED" ? "Cancel is recorded." : isForced ? "What still stopped is ended by force." : `It ${resultWords(result)}.`);
        return { done: 1, total: 1, counts: { [result]: 1 } };
      },
    });
  }

  /**
   * What an end by force would hit of what has ended.
   * @param {any} execution as it stands now
   */
  stillInWords(execution) {
    const name = foreign(this.id, 300);
    if ((execution.stopping ?? 0) === 0) return [name, ` is ${inWords(execution.status)}. Nothing of it is known to be still stopping.`];
    return [name, ` is ${inWords(execution.status)} and still stopping: ${furtherWords(execution)}. All of that will be ended without its grace.`];
  }
}

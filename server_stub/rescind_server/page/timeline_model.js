// @ts-check
/** What a history says, as rows of bars: each task with its attempts, each wait, timer, step and signal. */

import { begin, endLife, endStop } from "./timeline_bars.js";
import { timerName, waitName } from "./waits.js";
import { instant } from "./words.js";

/**
 * @typedef {"waiting" | "running" | "pausing" | "requested" | "delivered" | "instant"} Phase
 * @typedef {{phase: Phase, begin: number, end: number | null, attempt: number, failed?: boolean}} Bar
 * @typedef {{key: string, kind: "agent" | "task" | "wait" | "timer" | "step" | "signal" | "child", name: string, number: number, taskId: string | null, childId: string | null,
 *   status: string, stop: string | null, stops: Map<number, string>, attempts: number, worker: string, why: string, begin: number, ended: number | null, below: number | null, bars: Bar[]}} Row
 *   `number`: which one it is of those of its kind and name
 *   `below`, of an agent that has ended: how much of it and below it still stops, as the server told last; null is not known
 * @typedef {{sequence: number, at: string, type: string, task_id?: string, attempt?: number, details?: Record<string, any>}} HistoryEvent
 */

const ENDS = { EXECUTION_COMPLETED: "COMPLETED", EXECUTION_FAILED: "FAILED", EXECUTION_CANCELLED: "CANCELLED" };
const TASK_ENDS = { TASK_COMPLETED: "COMPLETED", TASK_FAILED: "FAILED", TASK_CANCELLED: "CANCELLED" };

export class TimelineModel {
  constructor() {
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, Row>} */
    this.byKey = new Map();
    /** How many rows there are of a kind and a name. @type {Map<string, number>} */
    this.namesakes = new Map();
    /** @type {HistoryEvent[]} */
    this.events = [];
    this.last = 0;
    this.began = NaN;
    this.seen = NaN;
    /** @type {number | null} */
    this.ended = null;
    /** How many attempts are being stopped, and have not stopped. */
    this.stopping = 0;
    /** The ids of children that have ended, and of which something may still stop. @type {Set<string>} */
    this.unsettled = new Set();
    /** Agents that still stop, or of which that is not known. @type {Set<Row>} */
    this.stoppingAgents = new Set();
    this.hasStops = false;
    /** Which run of its agent this is; null of a workflow, which has none. @type {number | null} */
    this.run = null;
  }

  /**
   * Go on by one event; one that was seen before changes nothing.
   * @param {HistoryEvent} event
   * @returns {boolean} whether it is new
   */
  see(event) {
    if (event.sequence <= this.last) return false;
    this.last = event.sequence;
    this.events.push(event);
    const at = instant(event.at);
    if (Number.isNaN(this.began)) this.began = at;
    this.seen = at;
    if (event.task_id) this.taskEvent(event, at, event.details ?? {});
    else this.ownEvent(event, at, event.details ?? {});
    return true;
  }

  /**
   * How far the stopping of an attempt has come. What still stops counts more than what has stopped.
   * @param {Row} row
   * @param {number} attempt
   * @param {string} state
   */
  stop(row, attempt, state) {
    this.hasStops = true;
    row.stops.set(attempt, state);
    row.stop = openStop(row) ?? state;
  }

  /** Whether it has ended, and nothing of what is drawn goes on. */
  isOver() {
    return this.ended !== null && this.stopping === 0 && this.stoppingAgents.size === 0;
  }

  /** The instant up to which there is something to draw, given what the time is. @param {number} now */
  until(now) {
    return this.isOver() ? Math.max(this.ended ?? 0, this.seen) : Math.max(now, this.seen);
  }

  /**
   * How much of a child that has ended still stops, as the server tells it.
   * @param {string} childId
   * @param {number | null} count of what still stops, of it and below it; null if the server does not know it any more
   * @param {number} at when that was told
   */
  childStops(childId, count, at) {
    const row = this.byKey.get(`child ${childId}`);
    if (!row || row.ended === null) return;
    this.stopsBelow(row, count, at);
    if (!count) this.unsettled.delete(childId);
  }

  /**
   * How much of the execution still stops after its end, as the server tells it.
   * @param {number | null} count of what still stops, of it and below it; null if the server does not know it any more
   * @param {number} at when that was told
   */
  ownStops(count, at) {
    const row = this.byKey.get("agent");
    if (row && row.ended !== null) this.stopsBelow(row, count, at);
  }

  /**
   * @param {Row} row of an agent that has ended
   * @param {number | null} count
   * @param {number} at
   */
  stopsBelow(row, count, at) {
    if (count === null) {
      if (this.stoppingAgents.delete(row)) {
        endStop(row, row.ended ?? at, 0);
        row.stop = "UNKNOWN";
      }
    } else if (count > 0) {
      this.hasStops = true;
      this.stillStops(row);
    } else if (this.stoppingAgents.delete(row)) {
      // Of what had stopped before anybody asked, the end is all that is known.
      const stopped = row.below ? Math.max(at, row.ended ?? at) : row.ended ?? at;
      endStop(row, stopped, 0);
      this.seen = Math.max(this.seen, stopped);
      row.stop = null;
    } else if (row.stop === "UNKNOWN") row.stop = null;
    row.below = count;
  }

  /** @param {Row} row of an agent that has ended, and of which something is at work, or may be */
  stillStops(row) {
    this.stoppingAgents.add(row);
    row.stop = "DELIVERED";
    if (!row.bars.some((bar) => bar.end === null)) begin(row, "delivered", row.ended ?? this.seen, 0);
  }

  /**
   * @param {string} key
   * @param {Row["kind"]} kind
   * @param {string} name
   * @param {number} at
   * @returns {Row}
   */
  row(key, kind, name, at) {
    const known = this.byKey.get(key);
    if (known) return known;
    /** @type {Row} */
    const made = { key, kind, name, number: this.alike(kind, name) + 1, taskId: null, childId: null, status: "PENDING", stop: null, stops: new Map(), attempts: 0, worker: "", why: "", begin: at, ended: null, below: null, bars: [] };
    this.byKey.set(key, made);
    this.namesakes.set(`${kind} ${name}`, made.number);
    this.rows.push(made);
    return made;
  }

  /**
   * How many rows there are of a kind and a name.
   * @param {Row["kind"]} kind
   * @param {string} name
   */
  alike(kind, name) {
    return this.namesakes.get(`${kind} ${name}`) ?? 0;
  }

  /**
   * @param {HistoryEvent} event
   * @param {number} at
   * @param {Record<string, any>} details
   */
  taskEvent(event, at, details) {
    const row = this.row(`task ${event.task_id}`, "task", details.kind ?? "task", at);
    row.taskId = event.task_id ?? null;
    const attempt = event.attempt ?? 0;
    switch (event.type) {
      case "TASK_SCHEDULED":
        begin(row, "waiting", at, 0);
        break;
      case "TASK_STARTED":
        endLife(row, at);
        row.status = "RUNNING";
        row.stop = openStop(row);
        row.attempts = attempt;
        row.worker = details.worker ?? "";
        begin(row, "running", at, attempt);
        break;
      case "TASK_ATTEMPT_FAILED":
        endLife(row, at, true);
        row.status = "PENDING";
        row.why = details.error ?? "";
        begin(row, "pausing", at, attempt);
        break;
      case "TASK_COMPLETED": case "TASK_FAILED": case "TASK_CANCELLED":
        endLife(row, at);
        row.status = TASK_ENDS[event.type];
        row.why = details.error ?? details.message ?? [details.source, details.reason].filter(Boolean).join(": ");
        break;
      case "STOP_REQUESTED":
        if (!isOpenStop(row.stops.get(attempt) ?? "")) this.stopping += 1;
        this.stop(row, attempt, "REQUESTED");
        begin(row, "requested", at, attempt);
        break;
      case "STOP_DELIVERED":
        endStop(row, at, attempt);
        this.stop(row, attempt, "DELIVERED");
        begin(row, "delivered", at, attempt);
        break;
      case "STOP_ENDED":
        endStop(row, at, attempt);
        if (isOpenStop(row.stops.get(attempt) ?? "")) this.stopping -= 1;
        this.stop(row, attempt, details.state ?? "STOPPED");
        break;
    }
  }

  /**
   * @param {HistoryEvent} event
   * @param {number} at
   * @param {Record<string, any>} details
   */
  ownEvent(event, at, details) {
    switch (event.type) {
      case "EXECUTION_STARTED":
        begin(this.row("agent", "agent", details.kind ?? "agent", at), "waiting", at, 0);
        break;
      case "EXECUTION_ACTIVATED":
        this.run = details.run ?? null;
        this.agent("running", at, "RUNNING");
        break;
      case "EXECUTION_SUSPENDED": case "EXECUTION_RELEASED": case "EXECUTION_PARKED":
        this.agent("waiting", at, "WAITING");
        break;
      case "EXECUTION_COMPLETED": case "EXECUTION_FAILED": case "EXECUTION_CANCELLED": {
        const row = this.row("agent", "agent", "agent", at);
        endLife(row, at);
        row.status = ENDS[event.type];
        this.ended = row.ended = at;
        // Whether all that it spawned has stopped is not known yet.
        if (row.status === "CANCELLED" && (this.stopping > 0 || this.rows.some((each) => each.kind === "child"))) this.stillStops(row);
        for (const each of this.rows) if (each.kind !== "task" && each !== row) endWithAgent(each, at);
        break;
      }
      case "EXECUTION_RETRIED":
        this.goOn(at);
        break;
      case "EXECUTION_CANCEL_REQUESTED": {
        const row = this.row("agent", "agent", "agent", at);
        if (this.ended === null) row.status = "CANCELLING";
        row.why ||= [details.source, details.reason].filter(Boolean).join(": ");
        break;
      }
      case "WAIT_STARTED":
        this.open("wait", details, waitName(details, (key) => this.byKey.get(key)?.name), at);
        break;
      case "TIMER_STARTED":
        this.open("timer", details, timerName(details), at);
        break;
      case "STEP_BEGUN":
        this.open("step", details, String(details.name ?? "step"), at);
        break;
      case "SIGNAL_RECEIVED": {
        const row = this.row(`signal ${event.sequence}`, "signal", String(details.name ?? "signal"), at);
        row.status = "COMPLETED";
        row.bars.push({ phase: "instant", begin: at, end: at, attempt: 0 });
        break;
      }
      case "WAIT_SETTLED": case "TIMER_FIRED": case "STEP_RECORDED": case "SIGNALS_TAKEN": case "WITHDRAWN":
        this.closeOpen(details, at, event.type === "WITHDRAWN" ? "CANCELLED" : details.failed ? "FAILED" : "COMPLETED");
        break;
      default:
        if (event.type.startsWith("CHILD_")) this.childEvent(event, at, details);
    }
  }

  /**
   * A workflow that had failed goes on, and what it had open goes on with it.
   * @param {number} at
   */
  goOn(at) {
    const agent = this.row("agent", "agent", "agent", at);
    this.ended = agent.ended = agent.below = null;
    agent.status = "PENDING";
    begin(agent, "waiting", at, 0);
    for (const row of this.rows) {
      if (row.status === "ENDED") {
        row.status = row.kind === "step" ? "RUNNING" : "WAITING";
        begin(row, row.kind === "step" ? "running" : "waiting", at, 0);
      } else if (row.kind === "child" && row.status === "RUNNING" && row.bars.every((bar) => bar.end !== null)) begin(row, "running", at, 0);
    }
  }

  /**
   * @param {HistoryEvent} event
   * @param {number} at
   * @param {Record<string, any>} details
   */
  childEvent(event, at, details) {
    const id = String(details.child_id ?? "");
    const row = this.row(`child ${id}`, "child", String(details.kind ?? id), at);
    row.childId = id;
    switch (event.type) {
      case "CHILD_SPAWNED":
        row.status = "RUNNING";
        begin(row, "running", at, 0);
        break;
      case "CHILD_CANCEL_REQUESTED":
        if (row.status !== "RUNNING") break;
        row.status = "CANCELLING";
        row.why = [details.source, details.reason].filter(Boolean).join(": ");
        endLife(row, at);
        begin(row, "delivered", at, 0);
        break;
      case "CHILD_ENDED":
        endLife(row, at);
        row.status = String(details.status ?? "COMPLETED");
        row.ended = at;
        this.unsettled.add(id);
        // What is cancelled counts as still stopping until it is known that nothing of it is at work any more.
        if (row.status === "CANCELLED") this.stillStops(row);
        else endStop(row, at, 0);
        break;
    }
  }

  /**
   * @param {Phase} phase
   * @param {number} at
   * @param {string} status
   */
  agent(phase, at, status) {
    const row = this.row("agent", "agent", "agent", at);
    endLife(row, at);
    if (row.status !== "CANCELLING") row.status = status;
    begin(row, phase, at, 0);
  }

  /**
   * @param {Row["kind"]} kind
   * @param {Record<string, any>} details
   * @param {string} name
   * @param {number} at
   */
  open(kind, details, name, at) {
    const row = this.row(keyOf(details), kind, name, at);
    row.status = kind === "step" ? "RUNNING" : "WAITING";
    endLife(row, at);
    begin(row, kind === "step" ? "running" : "waiting", at, 0);
  }

  /**
   * @param {Record<string, any>} details
   * @param {number} at
   * @param {string} status
   */
  closeOpen(details, at, status) {
    const row = this.byKey.get(keyOf(details));
    if (!row) return;
    endLife(row, at);
    row.status = status;
  }
}

/**
 * The state of a row that is shown: what is cancelled and still stops is not shown as stopped.
 * @param {Row} row
 */
export function rowStatus(row) {
  const isEnded = row.status === "CANCELLED" || row.status === "FAILED" || row.status === "COMPLETED";
  return isEnded && row.stop !== null && isOpenStop(row.stop) ? "STOPPING" : row.status;
}

/**
 * What the agent has open is nobody's any more when it ends. Children and what was given to them go their own way.
 * @param {Row} row
 * @param {number} at
 */
function endWithAgent(row, at) {
  endLife(row, at);
  if (row.kind !== "child" && (row.status === "WAITING" || row.status === "RUNNING")) row.status = "ENDED";
}

/**
 * The operations of an agent have positions; the timers of a workflow have names.
 * @param {Record<string, any>} details
 */
export function keyOf(details) {
  return details.position === undefined ? `named ${details.name}` : `position ${details.position}`;
}

/** @param {Row} row */
function openStop(row) {
  return [...row.stops.values()].find(isOpenStop) ?? null;
}

/** @param {string} stop */
export function isOpenStop(stop) {
  return stop === "REQUESTED" || stop === "DELIVERED";
}

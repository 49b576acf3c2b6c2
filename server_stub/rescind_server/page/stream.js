// @ts-check
/**
 * Server-sent events that come back by themselves, with the last id. Not an `EventSource`: that cannot tell what the
 * server answered, cannot let go while nobody looks and come back where it was, and hides how it stands.
 */

import { problemOf } from "./api.js";

/** @typedef {{name: string, data: any, id: string | null}} StreamEvent */
/** @typedef {"connecting" | "live" | "reconnecting" | "offline" | "paused" | "ended" | "refused"} Connection */

const LONGEST_PAUSE_MS = 5_000;
const SILENCE_MS = 40_000;
const HIDDEN_MS = 30_000;
/** Refusals that pass by themselves. */
const PASSING = [408, 425, 429];

export class Stream {
  /**
   * @param {string} path
   * @param {(events: StreamEvent[]) => void} onEvents told what came, as much as came at once
   * @param {(connection: Connection, problem?: import("./api.js").Problem) => void} onConnection told how it stands, and why
   *   it was refused
   * @param {string | null} [lastId] behind which event it begins
   */
  constructor(path, onEvents, onConnection, lastId = null) {
    this.path = path;
    this.onEvents = onEvents;
    this.onConnection = onConnection;
    this.lastId = lastId;
    this.failures = 0;
    /** Whether it was opened anew at once, since the server had ended the one before in good order. */
    this.isSecond = false;
    this.isOver = false;
    /** @type {AbortController | null} */
    this.abort = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.hiding = undefined;
    this.watchVisibility = () => this.visibilityChanged();
    this.comeBack = () => { if (!this.abort) this.open(); };
    // A connection that cannot be used any more may look open for long.
    this.goAway = () => this.abort?.abort();
    document.addEventListener("visibilitychange", this.watchVisibility);
    addEventListener("online", this.comeBack);
    addEventListener("offline", this.goAway);
    // It may be opened where nobody looks: such a tab is told of no change.
    if (document.hidden) this.visibilityChanged();
    this.open();
  }

  close() {
    this.isOver = true;
    document.removeEventListener("visibilitychange", this.watchVisibility);
    removeEventListener("online", this.comeBack);
    removeEventListener("offline", this.goAway);
    clearTimeout(this.timer);
    clearTimeout(this.hiding);
    this.abort?.abort();
  }

  visibilityChanged() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      // A browser has few connections per server for all its tabs.
      this.hiding = setTimeout(() => {
        this.abort?.abort();
        clearTimeout(this.timer);
        this.abort = null;
        this.tell("paused");
      }, HIDDEN_MS);
    } else if (!this.abort) this.open();
  }

  /** @param {Connection} connection */
  tell(connection) {
    if (!this.isOver || connection === "ended") this.onConnection(connection);
  }

  async open() {
    if (this.isOver) return;
    clearTimeout(this.timer);
    const abort = this.abort = new AbortController();
    if (this.failures === 0 && !this.isSecond) this.tell("connecting");
    let isOrderly = false;
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: "text/event-stream" };
      if (this.lastId !== null) headers["last-event-id"] = this.lastId;
      const answer = await fetch(this.path, { headers, signal: abort.signal, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 204) return this.end();
      if (!answer.ok || !answer.body) {
        const problem = await problemOf(answer);
        if (abort !== this.abort || this.isOver) return;
        const isStale = answer.status === 400 && this.lastId !== null; // a server that does not know the id any more
        if (isStale) this.lastId = null;
        else if (answer.status >= 400 && answer.status < 500 && !PASSING.includes(answer.status)) return this.refuse(problem);
        throw problem;
      }
      this.failures = 0;
      this.tell("live");
      await this.read(answer.body.getReader(), abort);
      isOrderly = true;
    } catch { /* told below: whatever it was, it is tried again */ }
    if (abort !== this.abort || this.isOver) return;
    this.abort = null;
    // An execution that has ended, ends its news: the server is asked whether there will be more. That is no loss.
    if (isOrderly && !this.isSecond) {
      this.isSecond = true;
      return void this.open();
    }
    this.isSecond = false;
    this.failures += 1;
    this.tell(navigator.onLine === false ? "offline" : "reconnecting");
    this.timer = setTimeout(() => this.open(), Math.min(LONGEST_PAUSE_MS, 250 * 2 ** Math.min(this.failures, 5)));
  }

  end() {
    this.close();
    this.onConnection("ended");
  }

  /**
   * What the server refuses is not asked for again and again.
   * @param {import("./api.js").Problem} problem
   */
  refuse(problem) {
    this.close();
    this.onConnection("refused", problem);
  }

  /**
   * @param {ReadableStreamDefaultReader<Uint8Array>} reader
   * @param {AbortController} abort
   */
  async read(reader, abort) {
    const decoder = new TextDecoder();
    let buffer = "";
    for (;;) {
      // A connection that says nothing, not even that it is there, is gone.
      const silence = setTimeout(() => abort.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      buffer += decoder.decode(value, { stream: true });
      const end = buffer.lastIndexOf("\n\n");
      if (end < 0) continue;
      const events = buffer.slice(0, end).split("\n\n").map(parsed).filter((event) => event !== null);
      buffer = buffer.slice(end + 2);
      for (const event of events) if (event.id !== null) this.lastId = event.id;
      if (events.length && !this.isOver) this.onEvents(events);
    }
  }
}

/**
 * @param {string} block
 * @returns {StreamEvent | null} null for a comment
 */
function parsed(block) {
  let name = "message";
  let data = null;
  let id = null;
  for (const line of block.split("\n")) {
    if (line.startsWith("data: ")) data = line.slice(6);
    else if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("id: ")) id = line.slice(4);
  }
  return data === null ? null : { name, data: JSON.parse(data), id };
}

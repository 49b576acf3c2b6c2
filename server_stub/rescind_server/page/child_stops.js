// @ts-check
/**
 * How much still stops of children that have ended. That stands in no history of the parent's: the server is asked, again and
 * again for as long as something stops.
 */

import { executionPath, get, Problem } from "./api.js";
import { Retry } from "./retry.js";
import { now, OPEN } from "./words.js";

const PAGE = 200;
const SOON_MS = 100;
const AGAIN_MS = 1_000;
/** An answer may come before the record of an end that was just told of. */
const LOOKS = 3;
/** So many children are each asked for; of more, the list is read. */
const FEW = 4;
/** @typedef {{execution_id: string, status: string, stopping: number | null}} Child */

export class ChildStops {
  /**
   * @param {string} executionId of the parent
   * @param {import("./timeline_model.js").TimelineModel} model
   * @param {() => void} onChange told when more is known
   */
  constructor(executionId, model, onChange) {
    this.executionId = executionId;
    this.model = model;
    this.onChange = onChange;
    this.isReading = false;
    /** How often nothing was learned of a child. @type {Map<string, number>} */
    this.missed = new Map();
    this.retry = new Retry(() => this.look());
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  end() {
    this.retry.end();
    clearTimeout(this.timer);
  }

  /** @param {number} [milliseconds] */
  soon(milliseconds = SOON_MS) {
    if (this.model.unsettled.size === 0 || this.retry.isOver) return;
    this.timer ??= setTimeout(() => this.look(), milliseconds);
  }

  async look() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isReading || this.retry.isOver || this.model.unsettled.size === 0) return;
    this.isReading = true;
    try {
      await this.read();
      this.retry.succeeded();
      this.soon(AGAIN_MS);
    } catch (error) {
      this.retry.failed(error);
    }
    this.isReading = false;
    if (!this.retry.isOver) this.onChange();
  }

  async read() {
    const wanted = new Set(this.model.unsettled);
    const told = wanted.size <= FEW ? await this.each(wanted) : await this.listed(wanted);
    for (const child of told) {
      if (child.stopping === null || OPEN.includes(child.status)) continue;
      wanted.delete(child.execution_id);
      this.missed.delete(child.execution_id);
      this.model.childStops(child.execution_id, child.stopping, now());
    }
    for (const id of wanted) {
      const missed = (this.missed.get(id) ?? 0) + 1;
      this.missed.set(id, missed);
      // They are not there any more, or are somebody else's, or the server itself does not know it any more.
      if (missed >= LOOKS) this.model.childStops(id, null, now());
    }
  }

  /**
   * @param {Set<string>} ids
   * @returns {Promise<Child[]>}
   */
  async each(ids) {
    const found = await Promise.all([...ids].map((id) => get(executionPath(id)).catch((error) => {
      if (error instanceof Problem && (error.status === 403 || error.status === 404)) return null;
      throw error;
    })));
    return found.filter((child) => child !== null);
  }

  /**
   * @param {Set<string>} ids
   * @returns {Promise<Child[]>}
   */
  async listed(ids) {
    const left = new Set(ids);
    const found = [];
    let token = "";
    do {
      const query = { parent_id: this.executionId, status: ["COMPLETED", "FAILED", "CANCELLED"], page_size: PAGE, page_token: token };
      const page = await get("/api/v1/executions", query);
      for (const child of page.executions) if (left.delete(child.execution_id)) found.push(child);
      token = page.next_page_token;
    } while (token && left.size > 0);
    return found;
  }
}

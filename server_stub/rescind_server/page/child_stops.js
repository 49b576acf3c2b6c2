// @ts-check
/**
 * How much still stops of children that have ended. That stands in no history of the parent's: the server is asked, again and
 * again for as long as something stops.
 */

import { get } from "./api.js";
import { Retry } from "./retry.js";
import { now } from "./words.js";

const PAGE = 200;
const SOON_MS = 100;
const AGAIN_MS = 1_000;
/** An answer may come before the record of an end that was just told of. */
const LOOKS = 3;

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
    this.missed = 0;
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
    let token = "";
    do {
      const query = { parent_id: this.executionId, status: ["COMPLETED", "FAILED", "CANCELLED"], page_size: PAGE, page_token: token };
      const page = await get("/api/v1/executions", query);
      for (const each of page.executions) {
        if (wanted.delete(each.execution_id) && each.stopping !== null) this.model.childStops(each.execution_id, each.stopping, now());
      }
      token = page.next_page_token;
    } while (token && wanted.size > 0);
    this.missed = wanted.size > 0 ? this.missed + 1 : 0;
    if (this.missed < LOOKS) return;
    // They are not there any more, or are somebody else's: nothing is known to stop.
    for (const id of wanted) this.model.childStops(id, 0, now());
    this.missed = 0;
  }
}

// @ts-check
/** Asking again for what was not answered, with pauses that grow. */

import { Problem } from "./api.js";

const FIRST_MS = 250;
const LONGEST_MS = 8_000;
/** Answers that the same question does not change. */
const FINAL = [400, 401, 403, 404];

export class Retry {
  /** @param {() => void} ask asks once more */
  constructor(ask) {
    this.ask = ask;
    this.failures = 0;
    this.isOver = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * It was not answered: it is asked again in a while, unless that would change nothing.
   * @param {unknown} error
   * @returns {boolean} whether it is asked again
   */
  failed(error) {
    clearTimeout(this.timer);
    if (this.isOver || (error instanceof Problem && FINAL.includes(error.status))) return false;
    this.timer = setTimeout(this.ask, Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.failures, 10)));
    this.failures += 1;
    return true;
  }

  succeeded() {
    this.failures = 0;
    clearTimeout(this.timer);
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}

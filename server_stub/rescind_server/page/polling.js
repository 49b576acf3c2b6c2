// @ts-check
/** Views of what has no events of its own: read again when executions change, and now and then. */

import { get } from "./api.js";
import { button, element, fill } from "./dom.js";
import { Stream } from "./stream.js";

const LEAST_MS = 1_000;
const MOST_MS = 15_000;

/**
 * Read and show something for as long as the view is there.
 * @param {import("./main.js").Frame} frame
 * @param {HTMLElement} place where it is shown
 * @param {() => [path: string, query: Record<string, string | number>]} asked
 * @param {(answer: any) => void} show
 * @returns {{again: () => void, end: () => void}}
 */
export function reading(frame, place, asked, show) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isOver = false;
  let readAt = 0;
  let number = 0;

  async function read() {
    clearTimeout(timer);
    readAt = performance.now();
    const own = number += 1;
    try {
      const [path, query] = asked();
      const answer = await get(path, query);
      if (isOver || own !== number) return;
      show(answer);
    } catch (error) {
      if (isOver || own !== number) return;
      fill(place, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", read)));
    }
    frame.ready();
    timer = setTimeout(read, MOST_MS);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(read, Math.max(50, readAt + LEAST_MS - performance.now()));
  }

  fill(place, element("p.state", { test: "loading" }, "Loading…"));
  const stream = new Stream("/api/v1/events", soon, frame.connection);
  read();
  return { again: read, end: () => { isOver = true; clearTimeout(timer); stream.close(); } };
}

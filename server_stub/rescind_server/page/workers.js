// @ts-check
/** Who works: slots, what runs, last contact, and what does not stop. */

import { element, fill, foreign } from "./dom.js";
import { reading } from "./polling.js";
import { duration, instant, now, time } from "./words.js";

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
    fill(place, element("div.scroll-x", { tabindex: "0", role: "region", "aria-label": "Workers" }, element("table", {},
      element("caption.hidden", {}, "Workers"),
      element("thead", {}, element("tr", {}, ...["Worker", "Connection", "Slots", "Agents held", "Stopping", "Unresponsive", "Queues", "Runs"]
        .map((each) => element("th", { scope: "col" }, each)))),
      element("tbody", {}, ...answer.workers.map(row)))));
  }).end;
}

/** @param {any} worker */
function row(worker) {
  const used = Math.min(1, worker.running / Math.max(1, worker.slots));
  const bar = element("span.slots", { "aria-hidden": "true" }, element("span"));
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${used * 100}%`;
  const connection = worker.connected
    ? element("span.good", {}, "● connected")
    : element("span.bad", {}, `○ away for ${duration(now() - instant(worker.last_contact))}`);
  return element("tr", {
    test: "worker", "data-id": worker.worker_id, "data-connected": String(worker.connected), "data-unresponsive": worker.unresponsive,
  },
  element("th", { scope: "row" }, foreign(worker.worker_id, 100)),
  element("td", {}, connection, element("span.sub", {}, "last contact ", time(worker.last_contact),
    worker.lease_ends && !worker.connected ? element("span", {}, ", lease ends ", time(worker.lease_ends)) : null)),
  element("td.number", {}, bar, `${worker.running} of ${worker.slots}`),
  element("td.number", {}, worker.held),
  element("td.number", {}, worker.stopping ? element("span.warn", {}, `◑ ${worker.stopping}`) : "0"),
  element("td.number", {}, worker.unresponsive ? element("span.bad", {}, `! ${worker.unresponsive}`) : "0"),
  element("td", {}, ...worker.queues.map((/** @type {string} */ each) => element("span.label", {}, foreign(each, 60)))),
  element("td.kinds", {}, ...[...worker.agents, ...worker.tasks].map((/** @type {string} */ each) => element("span.label", {}, foreign(each, 60)))));
}

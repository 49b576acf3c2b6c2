// @ts-check
/** How many executions there are of each status: buttons, which are the filter of status, too. */

import { element } from "./dom.js";
import { inWords, shownStatus, signOf } from "./words.js";

export const STATUSES = ["PENDING", "RUNNING", "WAITING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"];
/** What has ended, and of which something still stops: no status of the record's, and asked for in another way. */
export const STOPPING = "STOPPING";

export class StatusCounts {
  /**
   * @param {Set<string>} chosen the statuses that are listed; none is all
   * @param {() => void} onChange told when others are chosen
   */
  constructor(chosen, onChange) {
    this.chosen = chosen;
    this.onChange = onChange;
    /** How many are listed. */
    this.total = 0;
    this.buttons = ["all", ...STATUSES, STOPPING].map((status) => this.button(status));
    this.element = element("div.counts", { role: "group", "aria-label": "Status" }, ...this.buttons);
    this.drawChosen();
  }

  /** What of it selects, in a query. */
  query() {
    return this.chosen.has(STOPPING) ? { stopping: "true" } : { status: [...this.chosen] };
  }

  /** @param {import("./words.js").Standing} listed */
  fits(listed) {
    return this.chosen.size === 0 || this.chosen.has(this.chosen.has(STOPPING) ? shownStatus(listed) : listed.status);
  }

  /** @param {{counts: Record<string, number>, total: number, stopping?: number | null}} told */
  show({ counts: byStatus, total, stopping }) {
    /** @type {Record<string, number>} */
    const counts = { ...byStatus, [STOPPING]: stopping ?? 0 };
    this.total = this.chosen.size === 0 ? total : [...this.chosen].reduce((sum, each) => sum + (counts[each] ?? 0), 0);
    for (const each of this.buttons) {
      const status = each.dataset.status ?? "all";
      const count = status === "all" ? total : counts[status] ?? 0;
      each.dataset.count = String(count);
      const number = each.querySelector(".number");
      if (number) number.textContent = count.toLocaleString("en");
    }
  }

  drawChosen() {
    for (const each of this.buttons) {
      const status = each.dataset.status ?? "all";
      each.setAttribute("aria-pressed", String(status === "all" ? this.chosen.size === 0 : this.chosen.has(status)));
    }
  }

  /** @param {string} status */
  button(status) {
    const sign = status === "all" ? null : element("span.sign", { "aria-hidden": "true" }, signOf(status));
    return element("button.count", {
      type: "button", test: `count-${status}`, "data-status": status, "data-count": "", onclick: () => this.toggle(status),
    }, sign, status === "all" ? "all" : inWords(status), element("span.number"));
  }

  /** @param {string} status */
  toggle(status) {
    if (status === "all") this.chosen.clear();
    else if (!this.chosen.delete(status)) {
      if (status === STOPPING) this.chosen.clear();
      else this.chosen.delete(STOPPING);
      this.chosen.add(status);
    }
    this.drawChosen();
    this.onChange();
  }
}

// @ts-check
/** Signals that came, and a form to send one. */

import { call } from "./api.js";
import { announce, element, fill, foreign } from "./dom.js";
import { time } from "./words.js";

export class Signals {
  /**
   * @param {string} path of the execution
   * @param {boolean} mayAct
   */
  constructor(path, mayAct) {
    this.path = path;
    this.name = /** @type {HTMLInputElement} */ (element("input", { id: "signal-name", test: "signal-name", required: true, autocomplete: "off", spellcheck: "false" }));
    this.value = /** @type {HTMLTextAreaElement} */ (element("textarea", { id: "signal-value", test: "signal-value", rows: "3", spellcheck: "false", placeholder: "null" }));
    this.problem = element("p.problem", { role: "alert", test: "signal-problem" });
    this.isSending = false;
    // A double click means one signal, also where the answer to the first click came before the second.
    this.submit = element("button.primary", {
      type: "submit", test: "signal-send", onclick: (event) => { if (/** @type {MouseEvent} */ (event).detail > 1) event.preventDefault(); },
    }, "Send");
    this.form = element("form.signal", { onsubmit: (event) => { event.preventDefault(); this.send(); } },
      element("label", { for: "signal-name" }, "Name"), this.name,
      element("label", { for: "signal-value" }, "Value, as JSON"), this.value, this.submit, this.problem);
    this.list = element("ol.growing", { "aria-live": "polite", "aria-label": "Signals" });
    this.empty = element("p.state", { test: "empty" }, "No signal has come.");
    this.mayAct = mayAct;
    this.element = element("div", {}, this.form, this.empty, this.list);
    this.form.hidden = !mayAct;
  }

  /** @param {boolean} isOpen whether the execution takes signals */
  setOpen(isOpen) {
    this.form.hidden = !this.mayAct || !isOpen;
  }

  /** @param {import("./timeline_model.js").HistoryEvent} event */
  received(event) {
    this.empty.hidden = true;
    this.list.prepend(element("li.signal-item", { test: "signal" },
      element("strong", {}, foreign(event.details?.name, 200)), " from ", foreign(event.details?.by, 200), " ", time(event.at)));
  }

  async send() {
    if (this.isSending) return;
    fill(this.problem);
    let value = null;
    try {
      value = this.value.value.trim() ? JSON.parse(this.value.value) : null;
    } catch (error) {
      this.problem.textContent = `The value is no JSON: ${error instanceof Error ? error.message : error}. Text stands in double quotes.`;
      return;
    }
    this.isSending = true;
    // Not `disabled`: the keyboard stays where it is.
    this.submit.setAttribute("aria-disabled", "true");
    try {
      await call("POST", `${this.path}/signal`, { name: this.name.value, value });
      announce("The signal is recorded.");
      this.value.value = "";
    } catch (error) {
      this.problem.textContent = error instanceof Error ? error.message : String(error);
    }
    this.isSending = false;
    this.submit.removeAttribute("aria-disabled");
  }
}

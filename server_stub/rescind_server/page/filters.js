// @ts-check
/** The filters of the list of executions. They stand in the address, so that a view can be sent to somebody. */

import { button, element } from "./dom.js";

export const FILTERS = ["id", "kind", "queue", "label", "created_by", "age", "older"];

/** @type {Record<string, [label: string, placeholder: string]>} */
const WORDS = {
  id: ["Id begins with", "order-"],
  kind: ["Kind", "any"],
  queue: ["Queue", "any"],
  label: ["Label", "name=value"],
  created_by: ["Creator", "client:web"],
  age: ["Started within", "any time"],
  older: ["Older than", "any age"],
};
const CHOSEN = ["age", "older"];
const LABEL = /^[^=]+=/;
/** @type {Record<string, [words: string, milliseconds: number]>} */
const AGES = {
  "15m": ["15 minutes", 900_000], "1h": ["1 hour", 3_600_000], "24h": ["24 hours", 86_400_000],
  "7d": ["7 days", 604_800_000], "30d": ["30 days", 2_592_000_000],
};

/** @typedef {HTMLInputElement | HTMLSelectElement} Field */

/**
 * @param {string} age
 * @returns {number | null}
 */
export function ageInMs(age) {
  return Object.hasOwn(AGES, age) ? AGES[age][1] : null;
}

/** The bar with all filters. */
export class FilterBar {
  /**
   * @param {Record<string, string>} given what stands in the fields first
   * @param {() => void} changed told when something else stands in them
   */
  constructor(given, changed) {
    this.changed = changed;
    /** What stands in the fields, by name; perhaps not applied yet. */
    this.values = { ...given };
    this.fields = FILTERS.map((name) => this.field(name));
    this.problem = element("p.problem.field-problem", { id: "filter-problem", test: "filter-problem", role: "alert" });
    const clear = button("Clear", "filter-clear", () => this.clear(), { class: "link" });
    this.element = element("form.filters", { role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      ...this.fields.map((field) => element("div.field", {}, element("label", { for: field.id }, WORDS[field.name][0]), field,
        field.name === "label" && this.problem)), clear);
    this.check();
  }

  /**
   * Look whether all of it can be meant, and say at its field what cannot.
   * @param {string} [refused] what the server said of the label
   * @returns {boolean}
   */
  check(refused = "") {
    const label = this.values.label;
    const words = refused || (label === "" || LABEL.test(label) ? "" : "Not applied: a label is NAME=VALUE, such as team=red.");
    if (this.problem.textContent !== words) this.problem.textContent = words;
    const field = this.fields[FILTERS.indexOf("label")];
    if (words) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", this.problem.id);
    } else {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
    return words === "";
  }

  clear() {
    for (const field of this.fields) {
      field.value = "";
      this.values[field.name] = "";
    }
    this.check();
    this.changed();
  }

  /**
   * @param {string} name
   * @returns {Field}
   */
  field(name) {
    const properties = { id: `filter-${name}`, test: `filter-${name}`, name };
    const [, placeholder] = WORDS[name];
    const field = /** @type {Field} */ (CHOSEN.includes(name)
      ? element("select", properties, element("option", { value: "" }, placeholder),
        ...Object.entries(AGES).map(([age, [words]]) => element("option", { value: age, selected: age === this.values[name] }, words)))
      : element("input", {
        ...properties, value: this.values[name], placeholder, autocomplete: "off", spellcheck: "false", type: name === "id" ? "search" : "text",
      }));
    field.addEventListener("input", () => {
      if (this.values[name] === field.value.trim()) return;
      this.values[name] = field.value.trim();
      this.check();
      this.changed();
    });
    return field;
  }
}

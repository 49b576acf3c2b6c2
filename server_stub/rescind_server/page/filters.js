// @ts-check
/** The filters of the list of executions. They stand in the address, so that a view can be sent to somebody. */

import { button, element } from "./dom.js";

export const FILTERS = ["id", "kind", "queue", "label", "created_by", "age"];
export const STATUSES = ["PENDING", "RUNNING", "WAITING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"];

/** @type {Record<string, [label: string, placeholder: string]>} */
const WORDS = {
  id: ["Id begins with", "order-"],
  kind: ["Kind", "any"],
  queue: ["Queue", "any"],
  label: ["Label", "name=value"],
  created_by: ["Creator", "client:web"],
};
/** @type {Record<string, [words: string, milliseconds: number]>} */
const AGES = {
  "15m": ["15 minutes", 900_000], "1h": ["hour", 3_600_000], "24h": ["24 hours", 86_400_000],
  "7d": ["7 days", 604_800_000], "30d": ["30 days", 2_592_000_000],
};

/**
 * @param {string} age
 * @returns {number | null}
 */
export function ageInMs(age) {
  return AGES[age]?.[1] ?? null;
}

/**
 * The bar with all filters; it writes what is chosen into `filters`.
 * @param {Record<string, string>} filters
 * @param {() => void} changed
 * @returns {HTMLElement}
 */
export function filterBar(filters, changed) {
  /** @type {(HTMLInputElement | HTMLSelectElement)[]} */
  const fields = Object.entries(WORDS).map(([name, [, placeholder]]) => /** @type {HTMLInputElement} */ (element("input", {
    id: `filter-${name}`, test: `filter-${name}`, value: filters[name], placeholder, autocomplete: "off", spellcheck: "false",
    type: name === "id" ? "search" : "text", name,
  })));
  fields.push(/** @type {HTMLSelectElement} */ (element("select", { id: "filter-age", test: "filter-age", name: "age" },
    element("option", { value: "" }, "any time"),
    ...Object.entries(AGES).map(([age, [words]]) => element("option", { value: age, selected: age === filters.age }, `the last ${words}`)))));
  for (const field of fields) {
    field.addEventListener("input", () => {
      if (filters[field.name] === field.value.trim()) return;
      filters[field.name] = field.value.trim();
      changed();
    });
  }
  const clear = button("Clear", "filter-clear", () => {
    for (const field of fields) {
      field.value = "";
      filters[field.name] = "";
    }
    changed();
  }, { class: "link" });
  const bar = element("form.filters", { role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() });
  for (const field of fields) {
    bar.append(element("div.field", {}, element("label", { for: field.id }, WORDS[field.name]?.[0] ?? "Started within"), field));
  }
  bar.append(clear);
  return bar;
}

// @ts-check
/** Who asked for what, when, why, and what they were told. */

import { get } from "./api.js";
import { button, element, fill, foreign } from "./dom.js";
import { reading, stackingRow, stackingTable } from "./polling.js";
import { time } from "./words.js";

const COLUMNS = ["When", "Who", "Asked for", "Met", "Subject", "Execution", "Why"];

/**
 * @param {import("./main.js").Frame} frame
 * @returns {() => void}
 */
export function auditView(frame) {
  frame.title("Audit");
  const place = element("div");
  const who = field("who", "Who", "operator:*", frame.query.get("who") ?? "");
  const execution = field("execution", "Execution", "its id", frame.query.get("execution") ?? "");
  const asked = () => /** @type {[string, Record<string, string | number>]} */ (["/api/v1/audit", {
    page_size: 100, who: who.value.trim(), execution_id: execution.value.trim(),
  }]);
  const pages = { areOlderShown: false };
  // Who reads older ones keeps them: the newest come when the filter changes, or the view is opened anew.
  const shown = reading(frame, place, asked, (answer) => { if (!pages.areOlderShown) show(place, answer, asked, pages); });
  for (const each of [who, execution]) each.addEventListener("input", () => {
    pages.areOlderShown = false;
    shown.again();
  });
  fill(frame.place, element("h1", {}, "Audit"),
    element("form.filters", { role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      element("div.field", {}, element("label", { for: who.id }, "Who"), who),
      element("div.field", {}, element("label", { for: execution.id }, "Execution"), execution)), place);
  return shown.end;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string} placeholder
 * @param {string} value
 */
function field(name, label, placeholder, value) {
  return /** @type {HTMLInputElement} */ (element("input", {
    id: `filter-${name}`, test: `filter-${name}`, name, placeholder, value, autocomplete: "off", spellcheck: "false", title: label,
  }));
}

/**
 * @param {HTMLElement} place
 * @param {any} answer
 * @param {() => [string, Record<string, string | number>]} asked
 * @param {{areOlderShown: boolean}} pages
 */
function show(place, answer, asked, pages) {
  if (!answer.records.length) return fill(place, element("p.state", { test: "empty" }, "Nobody asked for anything that fits these filters."));
  const table = stackingTable("Requests, the last first", COLUMNS, answer.records.map(row));
  let token = answer.next_page_token;
  let isReading = false;
  const problem = element("span.problem", { role: "alert", test: "audit-problem" });
  const more = button("older", "next-page", async () => {
    if (isReading) return;
    isReading = true;
    const wereOlderShown = pages.areOlderShown;
    pages.areOlderShown = true;
    problem.textContent = "";
    try {
      const [path, query] = asked();
      const next = await get(path, { ...query, page_token: token });
      table.querySelector("tbody")?.append(...next.records.map((/** @type {any} */ each) => stackingRow(COLUMNS, row(each))));
      token = next.next_page_token;
      more.hidden = !token;
    } catch (error) {
      // Under another filter there is another table by now.
      if (more.isConnected) pages.areOlderShown = wereOlderShown;
      problem.textContent = `The older ones were not read: ${error instanceof Error ? error.message : error}`;
    }
    isReading = false;
  }, { hidden: !token });
  fill(place, table, more, " ", problem);
}

/** @param {any} record */
function row(record) {
  return element("tr", { test: "audit-record" },
    element("td", {}, time(record.at)),
    element("td", {}, foreign(record.who, 100)),
    element("td", {}, record.action.toLowerCase().replaceAll("_", " "), record.forced ? element("span.bad", {}, " by force") : null),
    element("td", {}, record.result.toLowerCase().replaceAll("_", " ")),
    element("td", {}, foreign(record.subject, 100), record.task_id ? element("span.sub.mono", {}, record.task_id) : null),
    element("td", {}, record.execution_id
      ? element("a", { href: `/page/executions/${encodeURIComponent(record.execution_id)}` }, foreign(record.execution_id, 100)) : "–"),
    element("td", {}, record.source ? `${record.source.toLowerCase().replaceAll("_", " ")}${record.reason ? ": " : ""}` : "", record.reason ? foreign(record.reason, 300) : null));
}

// @ts-check
/** The dialogue before something is cancelled: what will be hit, why, and afterwards what it met. */

import { Problem } from "./api.js";
import { button, element, fill } from "./dom.js";

/**
 * @typedef {{selected: number, words: string | import("./dom.js").Child[]}} Plan what will be hit
 * @typedef {{done: number, total: number | null, counts: Record<string, number>}} Progress
 * @typedef {{title: string, confirm: string, force?: boolean, mayForce?: boolean, plan: () => Promise<Plan>,
 *   run: (reason: string | null, force: boolean, tell: (progress: Progress) => void, signal: AbortSignal) => Promise<Progress>,
 *   done?: () => void, closesWhenDone?: boolean}} Asked
 */

const RESULTS = {
  CANCELLED: "cancelled", ALREADY_CANCELLED: "cancelled before", ALREADY_COMPLETED: "had completed", ALREADY_FAILED: "had failed",
  NOT_FOUND: "not found", REFUSED: "refused", UNKNOWN: "not known: the answer was lost",
};
/** What leaves those that are open. @type {Set<() => void>} */
const open = new Set();

/** Leave all that are open, since what they are about is not shown any more. What has not begun is not asked for. */
export function leaveDialogs() {
  for (const leave of [...open]) leave();
}

/** @param {Asked} asked */
export function askToCancel(asked) {
  /** @type {Element | null} */
  let before = document.activeElement;
  const abort = new AbortController();
  const summary = element("p", { test: "dialog-summary", "aria-live": "polite", id: "dialog-summary" }, "Asking the server what would be hit…");
  const reason = /** @type {HTMLInputElement} */ (element("input", {
    id: "reason", test: "dialog-reason", maxlength: "2000", autocomplete: "off",
  }));
  const force = /** @type {HTMLInputElement} */ (element("input", {
    type: "checkbox", id: "force", test: "dialog-force", ...(asked.force ? { checked: true } : {}),
  }));
  const outcome = element("div", { "aria-live": "polite" });
  const confirm = button(asked.confirm, "dialog-confirm", run, { class: "danger", disabled: true });
  const close = button("Leave it", "dialog-close", () => dialog.close());
  const form = element("div", {},
    element("label", { for: "reason" }, "Reason, for the record"), reason,
    asked.mayForce && element("label.check", {}, force, " By force: without clean-up, and without grace for its work"));
  const dialog = /** @type {HTMLDialogElement} */ (element("dialog", {
    test: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-summary",
  }, element("h2", { id: "dialog-title" }, asked.title), summary, form, outcome,
  element("div.actions", {}, close, confirm)));
  const leave = () => {
    before = null;
    abort.abort();
    dialog.close();
  };
  open.add(leave);
  dialog.addEventListener("close", () => {
    open.delete(leave);
    abort.abort();
    dialog.remove();
    if (!(before instanceof HTMLElement)) return;
    // What opened it may have been drawn anew meanwhile.
    const opener = before.isConnected ? before : document.querySelector(`[data-testid="${before.dataset.testid}"]`);
    if (opener instanceof HTMLElement) opener.focus();
  });
  reason.addEventListener("keydown", (event) => { if (event.key === "Enter" && !confirm.disabled) run(); });
  document.body.append(dialog);
  dialog.showModal();
  reason.focus();

  plan();

  /** Nothing is cancelled before it is known what would be hit. */
  async function plan() {
    fill(outcome);
    try {
      const { selected, words } = await asked.plan();
      summary.dataset.count = String(selected);
      fill(summary, ...(typeof words === "string" ? [words] : words));
      confirm.disabled = selected === 0;
    } catch (error) {
      fail(error, button("try again", "retry", plan));
    }
  }

  /**
   * @param {unknown} error
   * @param {HTMLButtonElement | null} [again]
   */
  function fail(error, again = null) {
    fill(outcome, element("p.problem", { role: "alert", test: "problem" }, error instanceof Error ? error.message : String(error), " ", again));
  }

  async function run() {
    confirm.disabled = true;
    reason.disabled = force.disabled = true;
    const bar = /** @type {HTMLProgressElement} */ (element("progress", { test: "dialog-progress", "aria-label": "How far it has come" }));
    const words = element("p");
    fill(outcome, bar, words);
    close.textContent = "Stop here";
    try {
      const result = await asked.run(reason.value.trim() || null, force.checked, (progress) => show(progress, bar, words), abort.signal);
      asked.done?.();
      if (asked.closesWhenDone) return dialog.close();
      show(result, bar, words);
      bar.remove();
      words.dataset.testid = "dialog-result";
      fill(words, ...countsIn(result.counts), result.counts.UNKNOWN > 0 && button("ask again for those", "retry", run));
      confirm.remove();
    } catch (error) {
      // To ask twice for the same cancel changes nothing; whether the lost request came, nobody knows.
      if (abort.signal.aborted) asked.done?.();
      else fail(error, isLost(error) ? button("try again", "retry", run) : null);
    } finally {
      close.textContent = "Close";
      close.focus();
    }
  }
}

/**
 * Whether a request may have been heard though its answer was not.
 * @param {unknown} error
 */
export function isLost(error) {
  return error instanceof Problem && (error.status === 0 || error.status >= 500);
}

/**
 * @param {Progress} progress
 * @param {HTMLProgressElement} bar
 * @param {HTMLElement} words
 */
function show(progress, bar, words) {
  if (progress.total !== null) {
    bar.max = Math.max(1, progress.total);
    bar.value = progress.done;
  }
  words.textContent = progress.total === null ? "Cancelling…" : `${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}`;
}

/** @param {Record<string, number>} counts */
function countsIn(counts) {
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  if (!found.length) return ["Nothing was there to be cancelled."];
  return found.map(([result, count]) => element("span.result", { test: `result-${result}`, "data-count": count },
    `${count.toLocaleString("en")} ${RESULTS[/** @type {keyof typeof RESULTS} */ (result)] ?? result}`));
}

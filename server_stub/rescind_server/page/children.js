// @ts-check
/** The executions below one: those that it spawned, those that these spawned, and what a cancel of the whole tree would hit. */

import { call, get } from "./api.js";
import { element, fill, foreign } from "./dom.js";
import { duration, instant, now, OPEN, standingBadge } from "./words.js";

/** @typedef {import("./execution_table.js").Listed} Listed */
/** @typedef {{child: Listed, below: Listed[], more: boolean}} Branch */
/** @typedef {{executions: number, tasks: number, isWhole: boolean}} Tree what is open of an execution and all below it */

const LISTED = 200;
const NESTED = 10;
const OPENED = 20;
const MOST_OF_A_TREE = 500;
const AT_ONCE = 4;
const SOON_MS = 150;
const AGAIN_MS = 5_000;

export class Children {
  /** @param {string} executionId */
  constructor(executionId) {
    this.executionId = executionId;
    this.list = element("ol.tree", { "aria-label": "Children" });
    this.more = element("p.quiet");
    this.empty = element("p.state", { test: "empty" }, "It has no children.");
    this.element = element("div", {}, this.empty, this.list, this.more);
    this.isOver = false;
    this.isReading = false;
    this.hasOpen = false;
    this.hasNews = true;
    this.drawn = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  /** Something happened with a child. */
  changed() {
    this.hasNews = true;
    this.readWithin(SOON_MS);
  }

  /** Read them when they are looked at. What a child does is not in the history of its parent: open ones are asked again. */
  async shown() {
    if (this.isReading || this.isOver || !this.isSeen()) return;
    this.isReading = true;
    this.hasNews = false;
    const read = await this.read().catch(() => null);
    this.isReading = false;
    if (this.isOver) return;
    if (read !== null) this.draw(read.branches, read.more);
    if (this.hasNews) this.readWithin(SOON_MS);
    else if (this.hasOpen || read === null) this.readWithin(AGAIN_MS);
  }

  isSeen() {
    return this.element.offsetParent !== null && !document.hidden;
  }

  /** @param {number} milliseconds */
  readWithin(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.isSeen()) this.shown();
      else if (!this.isOver && this.element.offsetParent !== null) this.readWithin(AGAIN_MS);
    }, milliseconds);
  }

  /** @returns {Promise<{branches: Branch[], more: boolean}>} */
  async read() {
    const children = await get("/api/v1/executions", { parent_id: this.executionId, page_size: LISTED });
    const branches = await Promise.all(children.executions.map(async (/** @type {Listed} */ child, /** @type {number} */ place) => {
      if (place >= OPENED) return { child, below: [], more: false };
      const found = await get("/api/v1/executions", { parent_id: child.execution_id, page_size: NESTED });
      return { child, below: found.executions, more: found.next_page_token !== "" };
    }));
    // The server lists the newest first; children are read in the order in which they were spawned.
    for (const each of branches) each.below.reverse();
    return { branches: branches.reverse(), more: children.next_page_token !== "" };
  }

  /**
   * @param {Branch[]} branches
   * @param {boolean} more whether there are more than these
   */
  draw(branches, more) {
    this.hasOpen = branches.some(({ child, below }) => [child, ...below].some((each) => OPEN.includes(each.status) || (each.stopping ?? 0) > 0));
    this.empty.hidden = branches.length > 0;
    this.more.textContent = more ? `The newest ${LISTED} of them; each other has a bar in the timeline.` : "";
    const drawn = JSON.stringify(branches.map(({ child, below }) => [child, ...below].map((each) => [each.execution_id, each.status, each.stopping, each.children_stopping])));
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const focused = document.activeElement instanceof HTMLAnchorElement && this.list.contains(document.activeElement)
      ? document.activeElement.getAttribute("href") : null;
    fill(this.list, ...branches.map(({ child, below, more: hasMore }) => element("li", {}, line(child),
      below.length > 0 && element("ol.tree", { "aria-label": `Children of ${child.execution_id}` }, ...below.map((each) => element("li", {}, line(each))),
        hasMore && element("li.quiet", {}, "and more, on its own page")))));
    if (focused) [...this.list.querySelectorAll("a")].find((each) => each.getAttribute("href") === focused)?.focus();
  }
}

/** @param {Listed} child */
function line(child) {
  const took = (child.ended_at === null ? now() : instant(child.ended_at)) - instant(child.created_at);
  return element("div.tree-line", { test: "child-execution", "data-id": child.execution_id, "data-status": child.status },
    standingBadge(child),
    element("span.quiet", {}, foreign(child.kind, 100)),
    executionLink(child.execution_id, "child-link"),
    child.ended_at === null ? null : element("span.quiet", {}, duration(took)));
}

/**
 * @param {string} executionId
 * @param {string} test its data-testid
 */
export function executionLink(executionId, test) {
  return element("a.mono", { href: `/page/executions/${encodeURIComponent(executionId)}`, test }, foreign(executionId, 300));
}

/**
 * What is open of executions and of all below them, as the server tells it now; nothing is changed.
 * @param {string[]} executionIds of those that are open
 * @returns {Promise<Tree>}
 */
export async function openTree(executionIds) {
  const tree = { executions: 0, tasks: 0, isWhole: true };
  // One that is chosen may stand below another one.
  const seen = new Set(executionIds);
  let level = executionIds;
  while (level.length > 0) {
    const room = MOST_OF_A_TREE - tree.executions;
    if (level.length > room) tree.isWhole = false;
    level = level.slice(0, room);
    tree.executions += level.length;
    /** @type {string[]} */
    const further = [];
    await forEach(level, async (each) => {
      const found = await below(each);
      tree.tasks += found.tasks;
      for (const child of found.children) if (!seen.has(child)) further.push(child), seen.add(child);
    });
    level = further;
  }
  return tree;
}

/**
 * A few at a time.
 * @param {string[]} ids
 * @param {(id: string) => Promise<void>} act
 */
export async function forEach(ids, act) {
  const rest = [...ids];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let id = rest.shift(); id !== undefined; id = rest.shift()) await act(id);
  }));
}

/**
 * @param {string} executionId
 * @returns {Promise<{tasks: number, children: string[]}>}
 */
async function below(executionId) {
  const [tasks, children] = await Promise.all([
    call("POST", "/api/v1/tasks/cancel", { where: { execution_id: executionId }, dry_run: true }),
    openChildren(executionId),
  ]);
  return { tasks: tasks.selected, children };
}

/** @param {string} executionId */
async function openChildren(executionId) {
  const found = [];
  let token = "";
  do {
    const page = await get("/api/v1/executions", { parent_id: executionId, status: OPEN, page_size: MOST_OF_A_TREE, page_token: token });
    found.push(...page.executions.map((/** @type {Listed} */ each) => each.execution_id));
    token = page.next_page_token;
  } while (token && found.length <= MOST_OF_A_TREE);
  return found;
}

/**
 * What a tree's cancel would hit, in words.
 * @param {string} executionId of the uppermost
 * @param {Tree} tree
 */
export function treeInWords(executionId, { executions, tasks, isWhole }) {
  const least = isWhole ? "" : "at least ";
  const below = executions - 1;
  const openTasks = `${least}${tasks.toLocaleString("en")} open ${tasks === 1 ? "task" : "tasks"}`;
  if (below === 0) return [foreign(executionId, 300), ` and ${openTasks} of it will be hit.`];
  const children = `${least}${below.toLocaleString("en")} open ${below === 1 ? "execution" : "executions"} below it`;
  return [foreign(executionId, 300), `, ${children} and ${openTasks} of theirs will be hit. What was spawned to outlive its parent goes on.`];
}

// @ts-check
/** The conversation and the checkpoints of an execution: lists that only grow. */

import { get } from "./api.js";
import { element, fill, foreign, json } from "./dom.js";
import { Retry } from "./retry.js";
import { inWords, time } from "./words.js";

/** A list that only grows, and is read when it is looked at. */
class Growing {
  /**
   * @param {string} path
   * @param {string} name of the list in the answer
   * @param {string} empty what is said of an empty one
   * @param {(item: any) => HTMLElement} draw
   */
  constructor(path, name, empty, draw) {
    this.path = path;
    this.name = name;
    this.draw = draw;
    this.known = 0;
    this.isReading = false;
    this.hasNews = true;
    this.isStale = false;
    this.list = element("ol.growing", { "aria-live": "polite", "aria-label": inWords(name) });
    this.empty = element("p.state", { test: "empty" }, empty);
    this.problem = element("p.problem", { role: "status" });
    this.element = element("div", {}, this.problem, this.empty, this.list);
    this.retry = new Retry(() => this.changed());
  }

  end() {
    this.retry.end();
  }

  changed() {
    this.hasNews = true;
    if (this.element.offsetParent !== null) this.shown();
  }

  /** What was read of it may not count any more: it is read from its beginning, and shown until that was read. */
  beginAnew() {
    this.isStale = true;
    this.changed();
  }

  async shown() {
    if (this.isReading) return;
    this.isReading = true;
    try {
      while (this.hasNews && !this.retry.isOver) await this.read();
      this.retry.succeeded();
      fill(this.problem);
    } catch (error) {
      // What was not read is still news.
      this.hasNews = true;
      const words = error instanceof Error ? error.message : String(error);
      this.problem.textContent = this.retry.failed(error) ? `${words} It is asked again by itself.` : words;
    }
    this.isReading = false;
  }

  async read() {
    this.hasNews = false;
    const isStale = this.isStale;
    this.isStale = false;
    let page;
    try {
      page = await get(`${this.path}/${this.name}`, { after: isStale ? 0 : this.known, limit: 500 });
    } catch (error) {
      this.isStale ||= isStale;
      throw error;
    }
    if (this.isStale) return; // it was begun anew while the answer was on its way
    if (isStale) {
      this.known = 0;
      fill(this.list);
    }
    if (page.total < this.known) {
      // The agent went on from a checkpoint: what it had said behind that does not count.
      this.known = 0;
      fill(this.list);
      this.hasNews = true;
      return;
    }
    this.known += page[this.name].length;
    this.list.append(...page[this.name].map(this.draw));
    this.empty.hidden = this.known > 0;
    if (this.known < page.total && page[this.name].length) this.hasNews = true;
  }
}

export class Conversation extends Growing {
  /** @param {string} path */
  constructor(path) {
    super(path, "entries", "The agent has said nothing.", entry);
  }
}

export class Checkpoints extends Growing {
  /** @param {string} path */
  constructor(path) {
    super(path, "checkpoints", "There is no checkpoint.", (each) => element("li.checkpoint", { test: "checkpoint" },
      element("p.item-head", {}, element("strong", {}, `checkpoint ${each.sequence}`), " ", time(each.at)), json(each.state)));
  }
}

/** @param {any} each */
function entry(each) {
  const content = each.content;
  const text = typeof content === "string" ? content : content && typeof content === "object" && typeof content.text === "string" ? content.text : null;
  const body = element("div");
  if (text !== null) fill(body, element("p.said", {}, foreign(text, 4_000)));
  else fill(body, json(content));
  return element("li.entry", { test: "entry", "data-role": each.role },
    element("p.item-head", {}, element("strong", {}, foreign(each.role, 60)), each.entry_type && each.entry_type !== "message" ? ` ${inWords(each.entry_type)}` : "", " ", time(each.at)), body);
}

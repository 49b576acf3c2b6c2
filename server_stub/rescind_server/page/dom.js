// @ts-check
/** Building documents out of elements and text. Nothing here takes markup: what is shown is text, whatever is in it. */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | EventListener>} Properties */

const LONGEST = 2_000;

/**
 * An element. Names with `on` are listeners, others attributes; `false`, `null` and `undefined` leave one out.
 * @param {string} name of the element, perhaps with a class: `span.mono`
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function element(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (key === "test") made.dataset.testid = String(value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  append(made, children);
  return made;
}

/**
 * @param {Element} parent
 * @param {Child[]} children
 */
export function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Put these, and nothing else, into an element.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

/**
 * Text of somebody else's: isolated, so that its direction does not reach beyond it, and cut if it is long.
 * @param {unknown} text
 * @param {number} [longest] in characters
 * @returns {HTMLElement}
 */
export function foreign(text, longest = LONGEST) {
  const whole = String(text ?? "");
  if (whole.length <= longest) return element("bdi", {}, whole);
  const shown = element("bdi", {}, whole.slice(0, longest));
  const rest = whole.length - longest;
  const holder = element("span", {}, shown, " ");
  const button = element("button.link", { type: "button", test: "show-all", onclick: () => {
    shown.textContent = whole;
    button.remove();
  } }, `show all (${rest.toLocaleString("en")} more characters)`);
  holder.append(button);
  return holder;
}

/**
 * A value as JSON, cut if it is long.
 * @param {unknown} value
 * @param {number} [longest]
 * @returns {HTMLElement}
 */
export function json(value, longest = LONGEST) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "null";
  return element("pre.value", {}, foreign(text, longest));
}

/**
 * A button.
 * @param {string} label
 * @param {string} test its data-testid
 * @param {EventListener} onclick
 * @param {Properties} [further]
 * @returns {HTMLButtonElement}
 */
export function button(label, test, onclick, further = {}) {
  return /** @type {HTMLButtonElement} */ (element("button", { type: "button", test, onclick, ...further }, label));
}

/**
 * Say something to those who listen to the page instead of looking at it, and show it for a while.
 * @param {string} words
 */
export function announce(words) {
  let place = document.getElementById("toast");
  if (!place) {
    place = element("div", { id: "toast", role: "status", "aria-live": "polite", test: "toast" });
    document.body.append(place);
  }
  place.textContent = words;
  place.classList.add("shown");
  const shown = place;
  setTimeout(() => { if (shown.textContent === words) shown.classList.remove("shown"); }, 6_000);
}

// @ts-check
/** The frame of the page: who is signed in, which view is shown, how the connection stands. */

import { call, get, Problem, whenSignedOut } from "./api.js";
import { auditView } from "./audit.js";
import { leaveDialogs } from "./dialog.js";
import { button, element, fill, foreign } from "./dom.js";
import { executionView } from "./execution.js";
import { executionsView } from "./executions.js";
import { signInView } from "./sign_in.js";
import { stuckView } from "./stuck.js";
import { workersView } from "./workers.js";

/**
 * @typedef {{by: string | null, organisation: string, roles: string[], asks_for_tokens: boolean}} Who
 * @typedef {{who: Who, mayAct: boolean, place: HTMLElement, path: string[], query: URLSearchParams,
 *   connection: (state: import("./stream.js").Connection, problem?: Problem) => void, ready: () => void, go: (path: string) => void,
 *   title: (words: string) => void}} Frame what a view is given
 * @typedef {(frame: Frame) => (() => void)} View shows itself; returns what ends it
 */

/** @type {Record<string, {view: View, label: string, roles: string[] | null}>} */
const VIEWS = {
  executions: { view: executionsView, label: "Executions", roles: null },
  workers: { view: workersView, label: "Workers", roles: ["viewer", "operator"] },
  stuck: { view: stuckView, label: "Stuck", roles: ["viewer", "operator"] },
  audit: { view: auditView, label: "Audit", roles: ["operator"] },
};
const CONNECTIONS = {
  live: "live", connecting: "connecting…", reconnecting: "reconnecting…", offline: "offline", ended: "ended", paused: "paused",
  refused: "refused",
};
const THEMES = ["system", "light", "dark"];

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const place = element("main", { id: "view", test: "view", tabindex: "-1" });
const refusal = element("p.refusal", { role: "alert", test: "refused", hidden: true });
const connectionPlace = element("span.connection", { role: "status", test: "connection", "data-state": "connecting" });
/** @type {Who | null} */
let who = null;
let end = () => {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let retryTimer;
/** How often another view was asked for. */
let asked = 0;

function theme() {
  const stored = localStorage.getItem("rescind-theme") ?? "system";
  return THEMES.includes(stored) ? stored : "system";
}

/** @param {string} wanted */
function setTheme(wanted) {
  localStorage.setItem("rescind-theme", wanted);
  if (wanted === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
}

/**
 * @param {import("./stream.js").Connection} state
 * @param {Problem} [problem] why it was refused
 */
function showConnection(state, problem) {
  refusal.hidden = state !== "refused";
  if (state === "refused") {
    fill(refusal, "The server sends no news of this: ", foreign(problem?.message ?? "it refused", 1_000), " What you see is as old as the page. ",
      button("try again", "retry", () => show()));
  }
  if (connectionPlace.dataset.state === state && connectionPlace.textContent) return;
  connectionPlace.dataset.state = state;
  connectionPlace.textContent = CONNECTIONS[state];
}

/** @param {string | null} current the view that is shown */
function drawFrame(current) {
  const links = who === null ? [] : Object.entries(VIEWS)
    .filter(([, each]) => each.roles === null || each.roles.some((role) => who?.roles.includes(role)))
    .map(([name, each]) => element("a", {
      href: `/page/${name}`, test: `nav-${name}`, "aria-current": name === current ? "page" : null,
    }, each.label));
  const switcher = button("", "theme-switch", () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    nameTheme();
  }, { class: "quiet-button" });
  const nameTheme = () => {
    fill(switcher, element("span.wide", {}, "theme: "), theme());
    switcher.ariaLabel = `theme: ${theme()}`;
  };
  nameTheme();
  const signedIn = who?.by ? [
    element("span.who", { test: "who" }, element("bdi", {}, who.by),
      who.organisation === "default" ? "" : element("bdi.quiet", {}, ` ${who.organisation}`)),
    button("sign out", "sign-out", signOut, { class: "quiet-button" }),
  ] : [];
  fill(app,
    element("a.skip", { href: "#view", onclick: (event) => { event.preventDefault(); place.focus(); } }, "Skip to the view"),
    element("header.top", {},
      element("a.brand", { href: "/page/executions" }, "Rescind"),
      element("nav", { "aria-label": "Views" }, ...links),
      element("span.spacer"), connectionPlace, ...signedIn, switcher),
    refusal, place);
}

async function signOut() {
  await call("DELETE", "/api/v1/session").catch(() => null);
  who = null;
  show();
}

/** End the view that is shown, with all that stands over it. */
function leave() {
  asked += 1;
  clearTimeout(retryTimer);
  leaveDialogs();
  end();
  end = () => {};
}

function askToSignIn() {
  leave();
  who = null;
  drawFrame(null);
  place.dataset.view = "sign-in";
  place.removeAttribute("aria-busy");
  connectionPlace.textContent = "";
  refusal.hidden = true;
  document.title = "Sign in – Rescind";
  signInView(place, (signedIn) => { who = signedIn; show(); });
}

async function show() {
  leave();
  if (who === null) {
    const own = asked;
    try {
      const told = /** @type {Who} */ (await get("/api/v1/whoami"));
      if (own !== asked) return;
      who = told;
    } catch (error) {
      if (own !== asked) return;
      if (error instanceof Problem && error.status === 401) return;
      drawFrame(null);
      showConnection("reconnecting");
      fill(place, element("p.state", { test: "problem", role: "alert" },
        error instanceof Error ? error.message : String(error), " ", button("try again", "retry", show)));
      retryTimer = setTimeout(() => { if (who === null && place.dataset.view !== "sign-in") show(); }, 2_000);
      return;
    }
  }
  delete place.dataset.view;
  const path = location.pathname.split("/").slice(2).map(decoded);
  const name = Object.hasOwn(VIEWS, path[0]) ? path[0] : "executions";
  const isOne = path[0] === "executions" && path.length > 1 && path[1] !== "";
  drawFrame(name);
  fill(place);
  place.dataset.view = isOne ? "execution" : name;
  place.setAttribute("aria-busy", "true");
  showConnection("connecting");
  const signedIn = who;
  end = (isOne ? executionView : VIEWS[name].view)({
    who: signedIn,
    mayAct: signedIn.roles.includes("operator") || signedIn.roles.includes("client"),
    place, path: path.slice(1), query: new URLSearchParams(location.search),
    connection: showConnection,
    ready: () => place.removeAttribute("aria-busy"),
    go,
    title: (words) => { document.title = `${words} – Rescind`; },
  });
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} path */
function go(path) {
  history.pushState(null, "", path);
  show().then(() => place.focus({ preventScroll: true }));
  scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.origin !== location.origin || !link.pathname.startsWith("/page/") || link.getAttribute("href")?.startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
});
addEventListener("popstate", () => show());

setTheme(theme());
whenSignedOut(askToSignIn);
show();

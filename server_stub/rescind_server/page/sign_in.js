// @ts-check
/** Signing in with a token. It goes into a cookie that no script can read, and nowhere else. */

import { call } from "./api.js";
import { element, fill } from "./dom.js";

/**
 * @param {HTMLElement} place
 * @param {(who: any) => void} signedIn told who it is
 */
export function signInView(place, signedIn) {
  const token = /** @type {HTMLInputElement} */ (element("input", {
    type: "password", id: "token", test: "sign-in-token", autocomplete: "current-password", required: true, spellcheck: "false",
  }));
  const problem = element("p.problem", { role: "alert", test: "sign-in-problem" });
  const submit = element("button.primary", { type: "submit", test: "sign-in-submit" }, "Sign in");
  const form = element("form.sign-in", {
    onsubmit: async (event) => {
      event.preventDefault();
      fill(problem);
      submit.setAttribute("disabled", "");
      try {
        signedIn(await call("POST", "/api/v1/session", { token: token.value.trim() }));
      } catch (error) {
        problem.textContent = error instanceof Error ? error.message : String(error);
        submit.removeAttribute("disabled");
        token.select();
      }
    },
  },
  element("h1", {}, "Sign in"),
  element("p", {}, "This server asks for a token. An operator makes one with ",
    element("code", {}, "rescind token create"), "."),
  element("label", { for: "token" }, "Token"), token, submit, problem);
  fill(place, form);
  token.focus();
}

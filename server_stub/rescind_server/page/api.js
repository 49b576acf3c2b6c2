// @ts-check
/** Calls of the server's HTTP interface. */

import { noteServerTime } from "./words.js";

/** What a call met that did not go well. */
export class Problem extends Error {
  /**
   * @param {number} status of HTTP; 0 if the server could not be reached
   * @param {string} message
   * @param {string} action what to do
   */
  constructor(status, message, action = "") {
    super(message);
    this.status = status;
    this.action = action;
  }
}

/** Told when the server asks who this is. @type {() => void} */
let onSignedOut = () => {};

/** @param {() => void} told */
export function whenSignedOut(told) {
  onSignedOut = told;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} the answer; null if it has no body
 */
export async function call(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = { "x-rescind-page": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, signal, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The server cannot be reached.", "It is tried again by itself.");
  }
  noteServerTime(answer.headers.get("date"));
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw await problemOf(answer);
}

/**
 * @param {Response} answer
 * @returns {Promise<Problem>}
 */
export async function problemOf(answer) {
  let told = { message: `${answer.status} ${answer.statusText}`, action: "" };
  try {
    told = await answer.json();
  } catch { /* something between the page and the server answered */ }
  if (answer.status === 401 && !answer.url.endsWith("/api/v1/session")) onSignedOut();
  return new Problem(answer.status, told.message, told.action);
}

/**
 * @param {string} path
 * @param {Record<string, string | number | string[] | null | undefined>} [query]
 * @param {AbortSignal} [signal]
 */
export function get(path, query = {}, signal) {
  return call("GET", path + queryOf(query), undefined, signal);
}

/** @param {Record<string, string | number | string[] | null | undefined>} query */
export function queryOf(query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, String(each));
  }
  const text = parameters.toString();
  return text ? `?${text}` : "";
}

/** @param {string} executionId */
export function executionPath(executionId) {
  return `/api/v1/executions/${encodeURIComponent(executionId)}`;
}

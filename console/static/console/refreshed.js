// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** A page that asks the server for itself every two seconds, and takes over what is new: nodes, a request. */

import { wait } from "./backoff.js";
import { morph } from "./morph.js";
import { Sign } from "./sign.js";

const EVERY_MS = 2000;
const ANSWER_MS = 3000;

const sign = new Sign();
let failures = 0;
let heard = Date.now();

async function ask() {
  if (sign.paused || document.hidden) return EVERY_MS;
  try {
    const headers = { Accept: "text/html" };
    const answer = await fetch(location.href, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("refreshed");
    // A page about something that is not there, or not any more, is a page too, with the status 404.
    if (fresh === null || (!answer.ok && answer.status !== 404)) throw new Error(`status ${answer.status}`);
    if (!sign.paused) morph(document.getElementById("refreshed"), fresh);
    failures = 0;
    heard = Date.now();
    sign.show({ name: "live", since: heard, retryAt: 0, why: "" });
    return EVERY_MS;
  } catch (error) {
    failures += 1;
    const ms = Math.max(EVERY_MS / 2, wait(failures, Math.random()));
    const why = error.name === "TimeoutError" ? "the node does not answer" : "the node is out of reach";
    sign.show({ name: "stale", since: heard, retryAt: Date.now() + ms, why });
    return ms;
  }
}

if (sign.paused) sign.show({ name: "live", since: heard, retryAt: 0, why: "" });

async function keepAsking() {
  const ms = await ask();
  setTimeout(keepAsking, ms);
}

keepAsking();

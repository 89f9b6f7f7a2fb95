// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The last events on the overview: taken from the page of events every few seconds. */

import { morph } from "./morph.js";

const EVERY_MS = 5000;
const MOST = 5;

async function ask() {
  if (document.hidden) return;
  const old = document.getElementById("events");
  try {
    const headers = { Accept: "text/html" };
    const answer = await fetch("/console/events/", { headers, signal: AbortSignal.timeout(EVERY_MS) });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("events");
    if (fresh === null) return;
    for (const row of [...fresh.children].slice(MOST)) row.remove();
    document.getElementById("recent").hidden = fresh.childElementCount === 0;
    morph(old, fresh);
  } catch {
    // The sign says that the node is out of reach.
  }
}

setInterval(ask, EVERY_MS);

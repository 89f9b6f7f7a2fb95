// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What is wrong among the nodes, as this one sees it: asked for every few seconds, told above the page.
 *
 * `console.nodes.troubles` says the same on pages that the server renders.
 */

const EVERY_MS = 5000;
const LATE_SECONDS = 2;
const COLD = "This node is cold: it may not know requests that were under way before it started";

/**
 * Pure: what `GET /v1/replica/peers` answers, in words.
 * @param {{joined?: boolean, cold_since?: string|null, peers?: object[]}} view
 * @returns {{level: "bad"|"warn", words: string}[]}
 */
export function troubles(view) {
  const peers = view.peers ?? [];
  const found = [];
  const warn = (words) => found.push({ level: "warn", words });
  for (const { peer, state, last_error: error = "" } of peers) {
    const why = error.replace(/^\[Errno -?\d+\] /, "") || "it does not answer";
    if (state === "lost") found.push({ level: "bad", words: `${peer} is lost: ${why}` });
  }
  if (view.joined === false) warn("This node is still catching up with its peers: its numbers are incomplete");
  if (view.cold_since) warn(`${COLD} (${view.cold_since.slice(0, 19).replace("T", " ")} UTC)`);
  for (const { peer, state, joined, pulling_buckets: pulling, lag_seconds: lag } of peers) {
    if (pulling) warn(`This node and ${peer} are out of sync; repairing`);
    if (state !== "lost" && lag >= LATE_SECONDS) warn(`${peer} is behind: it does not receive this node's events in time`);
    if (state === "connected" && joined === false) warn(`${peer} is still catching up: its numbers are incomplete`);
  }
  return found;
}

/** Begin to ask. */
export function watch() {
  const element = document.getElementById("troubles");
  const ask = async () => {
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch("/v1/replica/peers", { headers, signal: AbortSignal.timeout(EVERY_MS) });
      show(element, troubles((await answer.json()).data ?? {}));
    } catch {
      // The sign says that the node is out of reach.
    }
  };
  setInterval(() => document.hidden || ask(), EVERY_MS);
}

function show(element, found) {
  found.forEach(({ level, words }, at) => {
    const line = element.children[at] ?? element.appendChild(document.createElement("p"));
    line.className = level;
    if (line.firstChild?.nodeValue === words) return;
    const link = document.createElement("a");
    link.href = "/console/nodes/";
    link.textContent = "Nodes";
    line.replaceChildren(words, " · ", link);
  });
  while (element.childElementCount > found.length) element.lastElementChild.remove();
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * A websocket that comes back: it tells messages, and whether they can be trusted to be the present.
 *
 * The server says something every few seconds, if only that it is alive. A socket that is silent for longer is as dead
 * as one that was closed.
 */

import { wait } from "./backoff.js";

const OPEN_MS = 5000;
/** Of silence: the server speaks at least every 5 s. */
const SILENCE_MS = 8000;
const FULL_CODE = 1013;
const FULL_MS = 4000;

export class LiveSocket {
  /**
   * @param {string} path on this host
   * @param {object} told
   * @param {(message: object) => boolean} told.message false where it does not follow the last: begin anew
   * @param {(state: {name: "connecting"|"live"|"stale", since: number, retryAt: number, why: string}) => void}
   *   told.state
   *   `since`: when the last message came, ms since the epoch
   */
  constructor(path, { message, state }) {
    this.path = path;
    this.onMessage = message;
    this.onState = state;
    this.socket = null;
    this.timer = 0;
    this.failures = 0;
    this.heard = Date.now(); // the page itself
    this.name = "";
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    addEventListener("online", () => this.#hurry());
    addEventListener("pagehide", () => this.#drop());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    this.open();
  }

  /** Connect, or connect anew. */
  open() {
    this.#drop();
    if (this.name !== "stale") this.#tell("connecting");
    const address = new URL(this.path, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    this.#within(OPEN_MS, "the node does not answer");
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = ({ code }) =>
      this.#lost(code === FULL_CODE ? "the node has too many dashboards open" : "the connection was cut", code);
  }

  #take(text) {
    const message = JSON.parse(text);
    if (this.onMessage(message) === false) {
      this.open();
      return;
    }
    this.failures = 0;
    this.heard = Date.now();
    this.#within(SILENCE_MS, "the node is silent");
    if (this.name !== "live") this.#tell("live");
  }

  #lost(why, code = 0) {
    this.#drop();
    this.failures += 1;
    const ms = wait(this.failures, Math.random(), code === FULL_CODE ? FULL_MS : undefined);
    this.timer = setTimeout(() => this.open(), ms);
    this.#tell("stale", Date.now() + ms, why);
  }

  #within(ms, why) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#lost(why), ms);
  }

  #drop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket !== null) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  /** Somebody looks again: no use waiting out a backoff. */
  #hurry() {
    if (this.name === "stale") this.open();
  }

  #tell(name, retryAt = 0, why = "") {
    this.name = name;
    this.onState({ name, since: this.heard, retryAt, why });
  }
}

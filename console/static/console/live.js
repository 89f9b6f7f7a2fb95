// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** What the live pages have in common: a socket into a mirror, with the sign beside it, and a draw for what changed. */

import { Mirror } from "./mirror.js";
import { Sign } from "./sign.js";
import { LiveSocket } from "./socket.js";
import { watch } from "./peers.js";

const SAMPLE_MS = 1000;

export class Live {
  /**
   * @param {string} path of the socket
   * @param {Mirror} mirror
   * @param {object} told
   * @param {() => void} told.placed other rows than before
   * @param {() => void} told.changed some numbers changed
   * @param {(time: number) => void} told.sample once a second, with the server's time in ms
   */
  constructor(path, mirror, { placed, changed, sample }) {
    this.mirror = mirror;
    this.told = { placed, changed, sample };
    this.sampled = 0;
    this.shown = false; // whether a sample has been
    this.ahead = 0; // the server's clock over ours, ms
    this.sign = new Sign(() => this.#catchUp());
    this.state = "connecting";
    new LiveSocket(path, {
      message: (message) => this.#take(message),
      state: (state) => {
        this.state = state.name;
        if (state.name !== "live") mirror.forget();
        this.sign.show(state);
      },
    });
    setInterval(() => this.#sample(), SAMPLE_MS / 4);
    watch();
  }

  /** The server's wall-clock time in ms. */
  now() {
    return Date.now() + this.ahead;
  }

  /** Whether what is shown is to stay as it is. A page that begins paused shows its first sample. */
  get held() {
    return this.sign.paused && this.shown;
  }

  #take(message) {
    const what = this.mirror.apply(message);
    if (what === "gap") return false;
    this.ahead = message.time_ns / 1e6 - Date.now();
    this.missed = what === "all" || this.missed === "all" ? "all" : "some";
    if (!this.held && what !== "none") this.#tell();
    return true;
  }

  #tell() {
    if (this.missed === "all") this.told.placed();
    this.missed = "";
    this.told.changed();
  }

  #catchUp() {
    if (this.mirror.version !== null) this.#tell();
  }

  /** Samples are of the present alone: a gap in time stays a gap in the picture. */
  #sample() {
    const now = this.now();
    if (this.state !== "live" || now - this.sampled < SAMPLE_MS) return;
    this.sampled = now;
    this.told.sample(now);
    this.shown = true;
  }
}

/**
 * Show one of two elements of the page: the one for something, or the one for nothing.
 * @param {boolean} any
 */
export function showEither(any, some, none) {
  for (const element of some) element.hidden = !any;
  none.hidden = any;
}

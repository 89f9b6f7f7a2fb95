// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * The sign that says whether a page shows the present: live, paused, or stale since when.
 *
 * A pause is part of the page's address, so that it outlasts a reload and can be shared.
 *
 * What is said aloud changes only with the state; the countdown beside it is for the eyes.
 */

import { readState, writeState } from "./address.js";
import { clock } from "./numbers.js";

export class Sign {
  /** @param {() => void} resumed called when a pause ends */
  constructor(resumed = () => {}) {
    this.element = document.getElementById("sign");
    this.words = this.element.querySelector(".state");
    this.aside = this.element.querySelector("small");
    this.button = this.element.querySelector("button");
    this.paused = readState("paused") === "1";
    this.pausedAt = Date.now();
    this.state = { name: "connecting", since: 0, retryAt: 0, why: "" };
    this.button.addEventListener("click", () => {
      this.paused = !this.paused;
      this.pausedAt = Date.now();
      writeState({ paused: this.paused ? "1" : "" });
      this.#show();
      if (!this.paused) resumed();
    });
    setInterval(() => this.#count(), 1000);
  }

  /** @param {{name: string, since: number, retryAt: number, why: string}} state as `LiveSocket` tells it */
  show(state) {
    this.state = state;
    this.#show();
  }

  #show() {
    const { name, since, why } = this.state;
    const shown = name === "live" && this.paused ? "paused" : name;
    const text = {
      connecting: "Connecting",
      live: "Live",
      paused: `Paused at ${clock(this.pausedAt)}`,
      stale: `Stale since ${clock(since)}: ${why}`,
    }[shown];
    this.element.dataset.state = shown;
    document.documentElement.classList.toggle("is-stale", shown === "stale");
    if (this.words.textContent !== text) this.words.textContent = text;
    this.button.textContent = this.paused ? "Resume" : "Pause";
    this.button.setAttribute("aria-pressed", String(this.paused));
    this.#count();
  }

  #count() {
    const { name, retryAt } = this.state;
    const left = Math.ceil((retryAt - Date.now()) / 1000);
    this.aside.textContent = name === "stale" ? (left > 0 ? `again in ${left} s` : "connecting") : "";
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** How far back charts look: links that work without a script, and with one change the charts in place. */

import { writeState } from "./address.js";

const MINUTES = { "5m": 5, "15m": 15, "1h": 60 };

export class Range {
  /**
   * @param {HTMLElement} choice with a link for each range
   * @param {(minutes: number) => void} changed
   */
  constructor(choice, changed) {
    this.links = [...choice.querySelectorAll("a")];
    this.minutes = MINUTES[this.#of(this.links.find((link) => link.ariaCurrent === "true") ?? this.links[0])];
    for (const link of this.links) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.#choose(link);
        changed(this.minutes);
      });
    }
  }

  get ms() {
    return this.minutes * 60_000;
  }

  #of(link) {
    return new URL(link.href).searchParams.get("range");
  }

  #choose(link) {
    for (const each of this.links) each.ariaCurrent = each === link ? "true" : null;
    this.minutes = MINUTES[this.#of(link)];
    writeState({ range: this.#of(link) });
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What a page has seen, for when the operator comes back to it in the same tab. Bounded by what the pages keep, and by
 * the browser; where that has no room, the page begins anew.
 */
export class Memory {
  /** @param {() => object} tell what to keep when the page is left */
  constructor(tell) {
    this.key = `seen ${location.pathname}`;
    addEventListener("pagehide", () => {
      try {
        sessionStorage.setItem(this.key, JSON.stringify(tell()));
      } catch {
        sessionStorage.clear();
      }
    });
  }

  /** What was kept; empty where nothing was. */
  recall() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }
}

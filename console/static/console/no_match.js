// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Stands in for a table when no row passes its filter: says so, and offers to clear the filter. */

import { write } from "./write.js";

export class NoMatch {
  /**
   * @param {HTMLElement} element with the place of the filter's words, `.wanted`, and a button
   * @param {HTMLElement} table what it stands in for
   * @param {() => void} clear
   */
  constructor(element, table, clear) {
    this.element = element;
    this.table = table;
    this.wanted = element.querySelector(".wanted");
    element.querySelector("button").addEventListener("click", clear);
  }

  /**
   * @param {boolean} on
   * @param {string} words what was looked for
   */
  show(on, words) {
    if (on) write(this.wanted, words);
    this.element.hidden = !on;
    this.table.hidden = on;
  }
}

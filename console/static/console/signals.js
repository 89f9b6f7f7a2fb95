// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * The signals of an engine or a cluster, as the server lists them in a table's `data-signals`. No script has a list of
 * its own.
 *
 * A signal has a `key`, its name on the page; a `member`, its name in the server's rows; and a `style`: "count" is a
 * number, "gauge" a number that may have a bar, "some" has a dash for 0, "marked" has a dash for 0 and else a mark.
 * @typedef {{key: string, member: string, style: string}} Signal
 */

import { some } from "./numbers.js";
import { alarm, write, writeNumber } from "./write.js";

/**
 * The signals that a table shows, in order.
 * @param {HTMLElement} table
 * @returns {Signal[]}
 */
export const signalsOf = (table) => JSON.parse(table.dataset.signals);

/** Take the signals of a server's row over, by key. A row leaves out what is 0. */
export function take(signals, row, into) {
  for (const { key, member } of signals) into[key] = row[member] ?? 0;
}

/** What to sort a table by: a function for each signal's column. */
export const sortKeys = (signals) => Object.fromEntries(signals.map(({ key }) => [key, (row) => row[key]]));

/** The sums of the server's rows: `total`, the largest, `most`, and the smallest, `least`, by key. */
export class Sums {
  /** @param {Signal[]} signals */
  constructor(signals) {
    this.signals = signals;
    this.total = {};
    this.most = {};
    this.least = {};
    this.rows = 0;
    for (const { key } of signals) this.total[key] = this.most[key] = this.least[key] = 0;
  }

  /** Add a row. */
  add(row) {
    for (const { key, member } of this.signals) {
      const value = row[member] ?? 0;
      this.total[key] += value;
      if (value > this.most[key]) this.most[key] = value;
      if (!this.rows || value < this.least[key]) this.least[key] = value;
    }
    this.rows += 1;
  }
}

/**
 * Write the signals of a row into its cells.
 * @param {Record<string, number>} [most] the largest by key; without it no gauge has a bar
 */
export function showCells(signals, cells, row, most) {
  for (const { key, style } of signals) {
    const value = row[key];
    if (style === "marked") alarm(cells[key], some(value), value > 0);
    else if (style === "some" && !value) write(cells[key], some(value));
    else writeNumber(cells[key], value);
    if (style === "gauge" && most) bar(cells[key], value, most[key]);
  }
}

/** Show the sums in those tiles that the page has. */
export function showTiles(signals, tiles, total) {
  for (const { key, style } of signals) {
    if (!tiles.has(key)) continue;
    tiles.show({ [key]: style === "some" && !total[key] ? some(0) : total[key] });
    if (style === "marked") tiles.alarm(key, total[key] > 0);
  }
}

function bar(cell, value, most) {
  const rect = cell.nextElementSibling.firstElementChild;
  const width = most ? ((100 * value) / most).toFixed(1) : "0";
  if (rect.getAttribute("width") !== width) rect.setAttribute("width", width);
}

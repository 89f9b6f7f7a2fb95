// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** How cells fill a field: as large as fits, from one to thousands. Pure. */

const WIDEST = 320;
const HIGHEST = 68;
const SMALLEST = 7;
const FLAT = 2.4; // wider than this many times its height, a cell gains nothing

/**
 * @param {number} cells
 * @param {number} width of the field
 * @param {number} height that is aimed at; a field of very many is higher, up to three times
 * @returns {{columns: number, rows: number, wide: number, high: number, gap: number, shown: number}} cells' sizes with
 *   their gap, and how many of them there is room for
 */
export function fill(cells, width, height) {
  let best = null;
  for (let columns = 1; columns <= cells; columns++) {
    const wide = Math.min(WIDEST, width / columns);
    if (wide < SMALLEST) break;
    const rows = Math.ceil(cells / columns);
    const high = Math.min(HIGHEST, Math.floor(height / rows), Math.floor(wide * 0.8));
    if (high < SMALLEST) continue;
    const worth = Math.min(wide, high * FLAT) * high;
    if (best === null || worth > best.worth) best = { columns, rows, wide, high, worth };
  }
  if (best === null) {
    const columns = Math.max(1, Math.floor(width / SMALLEST));
    const rows = Math.min(Math.ceil(cells / columns), Math.floor((height * 3) / SMALLEST));
    best = { columns, rows, wide: width / columns, high: SMALLEST };
  }
  const gap = best.high >= 28 ? 4 : best.high >= 14 ? 2 : 1;
  return { ...best, gap, shown: Math.min(cells, best.columns * best.rows) };
}

/**
 * Where an arrow key leads from a cell.
 * @returns {number} the cell, or the same where the key leads nowhere
 */
export function step(key, from, cells, columns) {
  const near = { ArrowLeft: from - 1, ArrowRight: from + 1, ArrowUp: from - columns, ArrowDown: from + columns };
  const to = { ...near, Home: 0, End: cells - 1 }[key];
  return to === undefined || to < 0 || to >= cells ? from : to;
}

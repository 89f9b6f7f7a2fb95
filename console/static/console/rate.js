// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** How fast a total rises, over the last seconds. Pure. */

const OVER_MS = 5000;

export class Rate {
  constructor() {
    /** @type {[number, number][]} */
    this.seen = [];
  }

  /**
   * The total at a time (ms). A total that fell is another one's: the node began anew.
   * @returns {number|null} a second; null before two moments a second apart are known
   */
  at(time, total) {
    const seen = this.seen;
    if (seen.length && (total < seen[seen.length - 1][1] || time < seen[seen.length - 1][0])) seen.length = 0;
    if (!seen.length || time > seen[seen.length - 1][0]) seen.push([time, total]);
    else seen[seen.length - 1][1] = total;
    while (seen.length > 2 && seen[1][0] <= time - OVER_MS) seen.shift();
    const [first, before] = seen[0];
    return time - first < 1000 ? null : ((total - before) / (time - first)) * 1000;
  }
}

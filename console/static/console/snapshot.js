// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * The engines of a cluster at one moment. Field, lists, tiles and table all show this, so none contradicts another. Pure.
 *
 * @typedef {object} Engine with each signal by its key, and:
 * @property {string} name
 * @property {number} updated when a call last changed it, ms since the epoch
 * @property {number} seconds since then
 * @property {boolean} stale it holds requests without news
 * @property {boolean} hottest it has most requests, and not all have as many
 */

import { byName } from "./order.js";
import { Sums, take } from "./signals.js";

export class Snapshot {
  /**
   * @param {import("./signals.js").Signal[]} signals
   * @param {number} staleSeconds
   */
  constructor(signals, staleSeconds) {
    this.signals = signals;
    this.staleSeconds = staleSeconds;
    /** By name. @type {Engine[]} */
    this.engines = [];
    /** The busy ones, the busiest first. @type {Engine[]} */
    this.ranked = [];
    this.sums = new Sums(signals);
  }

  /** Other engines than before: those of these names. Engines that stay are the same objects. */
  place(names) {
    const before = new Map(this.engines.map((engine) => [engine.name, engine]));
    this.engines = [...names].sort(byName).map((name) => before.get(name) ?? { name, hottest: false });
  }

  /**
   * Take the numbers of the server's rows.
   * @param {Map<string, object>} rows by name
   * @param {number} now the server's time in ms
   */
  read(rows, now) {
    this.sums = new Sums(this.signals);
    for (const engine of this.engines) {
      const row = rows.get(engine.name);
      if (!row) continue;
      take(this.signals, row, engine);
      engine.updated = row.updated_time / 1e6;
      engine.seconds = Math.max(0, (now - engine.updated) / 1000);
      engine.stale = engine.requests > 0 && engine.seconds >= this.staleSeconds;
      this.sums.add(row);
    }
  }

  /** Make the order by load anew, and with it the mark of the hottest engine. */
  rank() {
    this.ranked = this.engines
      .filter((engine) => engine.requests > 0)
      .sort((one, other) => other.requests - one.requests || other.prompt - one.prompt || byName(one.name, other.name));
    for (const engine of this.engines) engine.hottest = false;
    const { most, least } = this.sums;
    if (this.ranked.length && most.requests > least.requests) this.ranked[0].hottest = true;
  }

  /** The busiest engine's requests over the mean; null where all are idle. */
  get imbalance() {
    const { total, most } = this.sums;
    return total.requests ? (most.requests * this.engines.length) / total.requests : null;
  }
}

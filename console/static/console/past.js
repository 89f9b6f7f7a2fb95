// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What the node kept of the last hour, for charts: asked for once a page is live, and again each minute while somebody
 * looks, so that what a page missed while it was hidden or cut off is filled in.
 */

const AGAIN_MS = 60_000;

export class Past {
  /**
   * @param {string} query which history: "cluster=NAME", or empty for all clusters
   * @param {object} told
   * @param {(samples: {time: number, values: Record<string, number>}[], spacingMs: number) => void} told.take
   */
  constructor(query, { take }) {
    this.query = query;
    this.take = take;
    this.ranges = ["15m"];
    this.asked = -Infinity;
    document.addEventListener("visibilitychange", () => this.asked > 0 && this.look());
  }

  /** Ask for an hour from now on, or for 15 minutes. */
  reach(hour) {
    this.ranges = hour ? ["15m", "1h"] : ["15m"];
    this.asked = -Infinity;
    this.look();
  }

  /** Ask, if it is time to. Called often, once the page is live. */
  look() {
    if (document.hidden || performance.now() - this.asked < AGAIN_MS) return;
    this.asked = performance.now();
    for (const range of this.ranges) this.#ask(range);
  }

  async #ask(range) {
    try {
      const answer = await fetch(`/v1/load/history?range=${range}${this.query && `&${this.query}`}`);
      if (answer.ok) this.take(...read((await answer.json()).data));
    } catch {
      // The node is away: the sign says so, and the next look asks again.
    }
  }
}

/**
 * A piece of history as samples, without those of which nothing is known. Pure.
 * @param {{step_seconds: number, end_ns: number, series: Record<string, (number|null)[]>}} piece
 */
export function read({ step_seconds, end_ns, series }) {
  const spacing = step_seconds * 1000;
  const names = Object.keys(series);
  const steps = series[names[0]]?.length ?? 0;
  const samples = [];
  for (let at = 0; at < steps; at++) {
    if (series[names[0]][at] === null) continue;
    const values = Object.fromEntries(names.map((name) => [name, series[name][at] ?? NaN]));
    samples.push({ time: end_ns / 1e6 - (steps - 1 - at) * spacing, values });
  }
  return [samples, spacing];
}

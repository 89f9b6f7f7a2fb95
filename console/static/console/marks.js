// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Events as marks in charts: those of a cluster, and those of whole nodes. A node without a log of events has none. */

const AGAIN_MS = 15_000;
const MOST = 100;

export class Marks {
  /**
   * @param {string} cluster whose events are meant; empty for those of all
   * @param {() => void} changed
   */
  constructor(cluster, changed) {
    this.cluster = cluster;
    this.changed = changed;
    /** @type {{time: number, text: string, severity: string}[]} */
    this.marks = [];
    this.asked = -Infinity;
    this.missing = false;
  }

  /** Ask, if it is time to. Called often. */
  look() {
    if (this.missing || document.hidden || performance.now() - this.asked < AGAIN_MS) return;
    this.asked = performance.now();
    this.#ask();
  }

  /** The marks since a time, in ms since the epoch. */
  since(time) {
    return this.marks.filter((mark) => mark.time >= time);
  }

  async #ask() {
    try {
      const answer = await fetch(`/v1/events?age=3600&limit=${MOST}`);
      this.missing = answer.status === 404; // another release's node
      if (!answer.ok) return;
      this.marks = read((await answer.json()).data.events, this.cluster);
      this.changed();
    } catch {
      // The node is away: the sign says so, and the next look asks again.
    }
  }
}

/** What events say of a cluster, or of nodes. Pure. */
export function read(events, cluster) {
  return events
    .filter((event) => !cluster || !event.cluster || event.cluster === cluster)
    .map(({ time_ns, text, severity }) => ({ time: time_ns / 1e6, text, severity }));
}

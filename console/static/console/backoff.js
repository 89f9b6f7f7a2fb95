// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** How long to wait before the next try. Pure: chance comes in. */

const SHORTEST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * Twice the last wait, within limits, times a random half to whole: dashboards that lost one node together do not come
 * back to it together.
 * @param {number} failures since the last success, 1 or more
 * @param {number} random 0 to 1
 * @param {number} [shortest] for a node that said it is full
 */
export function wait(failures, random, shortest = SHORTEST_MS) {
  return Math.min(LONGEST_MS, shortest * 2 ** Math.min(failures - 1, 16)) * (0.5 + random / 2);
}

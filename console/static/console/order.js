// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The order of a table's rows. Pure. */

const words = new Intl.Collator("en", { numeric: true });

/** Names and addresses as people count them: 10.0.0.2 before 10.0.0.10. */
export const byName = (one, other) => words.compare(one, other) || (one < other ? -1 : one > other ? 1 : 0);

/**
 * Rows in order of a value, equals by name, so that what is equal does not change places.
 * @param {object[]} rows
 * @param {(row: object) => number|string|null} value null stands last, whichever way
 * @param {(row: object) => string} name
 * @param {boolean} falling
 */
export function sorted(rows, value, name, falling) {
  const way = falling ? -1 : 1;
  return rows
    .map((row) => [value(row), row])
    .sort(([a, one], [b, other]) => {
      if (a === null || b === null) {
        if (a !== b) return a === null ? 1 : -1;
      } else if (typeof a === "string") {
        const words = byName(a, b);
        if (words) return way * words;
      } else if (a !== b) {
        return way * (a - b);
      }
      return byName(name(one), name(other));
    })
    .map(([, row]) => row);
}

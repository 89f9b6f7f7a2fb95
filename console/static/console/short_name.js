// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * Long names of engines, shortened in the middle so that what differs stays. Pure. `console.short_name` does the same on
 * the server.
 */

/** Names up to this length are never split: an IPv4 address with port and rank fits. */
const SHORT = 24;
const LEAST_END = 8;
const MOST_END = 22;

/**
 * How many characters all long names begin with, back to the last ":" or ".".
 * @param {string[]} names
 */
export function commonStart(names) {
  const long = names.filter((name) => name.length > SHORT);
  if (long.length < 2) return 0;
  const [first] = long;
  let same = first.length;
  for (const name of long) {
    let at = 0;
    while (at < same && name[at] === first[at]) at++;
    same = at;
  }
  return Math.max(first.lastIndexOf(":", same - 1), first.lastIndexOf(".", same - 1)) + 1;
}

/**
 * A name as its beginning, which may be cut, and its end, which stays: empty for a short name.
 * @param {string} name
 * @param {number} common as `commonStart` returns it for all names that are shown
 * @returns {[string, string]}
 */
export function split(name, common) {
  if (name.length <= SHORT) return [name, ""];
  const at = name.length - Math.min(MOST_END, Math.max(LEAST_END, name.length - common));
  return [name.slice(0, at), name.slice(at)];
}

/** A name in at most `most` characters. */
export function shortened(name, common, most) {
  const [start, end] = split(name, common);
  if (name.length <= most || !end) return name;
  return `${start.slice(0, Math.max(0, most - end.length - 1))}…${end}`;
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Numbers and times as people read them, as `console.numbers` writes them on the server. Pure. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredth = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const few = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
/** A tile has room for the six characters of 99,999. It shows a larger number in short. */
const EXACT_BELOW = 100_000;
const UNITS = [[1e3, "K"], [1e6, "M"], [1e9, "B"], [1e12, "T"]];

/** 1234 as "1,234". */
export const count = (value) => whole.format(value);

/** As `count`; none at all has a sign of its own, that what is there stands out. */
export const some = (value) => (value ? whole.format(value) : "–");

/**
 * 1234567 as "1.2M": rounded to a tenth of its unit. Below a thousand a fraction keeps one digit.
 * @param {number} value
 */
export function brief(value) {
  if (value < 1000) return few.format(value);
  for (const [size, unit] of UNITS) {
    const tenths = Math.floor((value * 10 + size / 2) / size);
    if (tenths < 10_000 || unit === "T") return few.format(tenths / 10) + unit;
  }
}

/** A number for a tile: exact where it fits, else in short. */
export const compact = (value) => (value < EXACT_BELOW ? count(value) : brief(value));

/** A mean or a rate: one decimal, in a width that does not change from one moment to the next. */
export const decimal = (value) => tenth.format(value);

/** Requests a second; null where there are not two moments to tell it from. */
export const rate = (value) => (value === null ? "–" : value >= 1000 ? whole.format(value) : tenth.format(value));

/** The busiest engine over the mean; null where all are idle. */
export const imbalance = (value) => (value === null ? "idle" : hundredth.format(value));

/**
 * How long ago, in the unit that fits, as `console.load.age` says it.
 * @param {number} seconds
 */
export function age(seconds) {
  if (seconds < 1) return "now";
  for (const [unit, size, most] of [["s", 1, 60], ["min", 60, 60], ["h", 3600, 24]]) {
    if (seconds < size * most) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds / 86400)} d`;
}

/**
 * The time of day on the operator's clock.
 * @param {number} ms since the epoch
 */
export const clock = (ms) =>
  new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

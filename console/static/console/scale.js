// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Numbers to heights and colours. Pure. */

/**
 * The round number that a scale ends at, at least `least`.
 * @param {number} value the largest that must fit
 */
export function roundUp(value, least = 5) {
  const wanted = Math.max(value, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (step * power >= wanted) return step * power;
  return 10 * power;
}

/** A scale's end that follows its numbers up at once and down late, so that pictures do not breathe. */
export class Top {
  constructor(least = 5) {
    this.least = least;
    this.value = least;
  }

  /** @param {number} most of the numbers now */
  follow(most) {
    const fitting = roundUp(most, this.least);
    if (fitting > this.value || fitting < this.value * 0.5) this.value = fitting;
    return this.value;
  }
}

/**
 * A load's place on the ramp. One hot engine must not make all others look alike, so the ramp rises faster at its
 * beginning; the legend shows it so.
 */
export const shade = (value, top) => Math.min(1, value / top) ** 0.7;

/**
 * A colour between stops, as [r, g, b].
 * @param {number[][]} stops
 * @param {number} share 0 to 1
 */
export function blend(stops, share) {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const part = at - low;
  return stops[low].map((value, channel) => Math.round(value + (stops[low + 1][channel] - value) * part));
}

/** Whether text on a colour is to be dark: the side with more contrast (WCAG's luminance). */
export function isLight([red, green, blue]) {
  const linear = (value) => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) > 0.179;
}

/** "#0f766e" as [15, 118, 110]. */
export const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.trim().slice(at, at + 2), 16));

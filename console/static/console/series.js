// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Samples older than this are thinned to one in `THIN_MS` when the past is woven in. */
const THIN_AFTER_MS = 6 * 60_000;
const THIN_MS = 5000;
/** A sample stands for another one that is less than this share of its spacing away. */
const NEAR = 0.45;

/**
 * The last moments of some numbers, a sample each, the oldest dropped where there is no more room. Pure.
 *
 * Times are ms and rise; a sample that is not later than the last takes its place.
 */
export class Series {
  /**
   * @param {number} width numbers in a sample
   * @param {number} room samples
   */
  constructor(width, room) {
    this.width = width;
    this.room = room;
    this.times = new Float64Array(room);
    this.values = new Float64Array(room * width);
    this.start = 0;
    this.length = 0;
  }

  /**
   * @param {number} time
   * @param {...number} values
   */
  push(time, ...values) {
    if (this.length && time <= this.time(this.length - 1)) this.length -= 1;
    if (this.length === this.room) {
      this.start = (this.start + 1) % this.room;
      this.length -= 1;
    }
    const at = (this.start + this.length) % this.room;
    this.times[at] = time;
    this.values.set(values, at * this.width);
    this.length += 1;
  }

  /** All samples as plain numbers, to be kept. */
  told() {
    return Array.from({ length: this.length }, (_, place) => [
      Math.round(this.time(place)),
      ...Array.from({ length: this.width }, (_, which) => Math.round(this.value(place, which) * 100) / 100),
    ]);
  }

  /** Samples that were kept, those since a time. @param {number[][]} [samples] */
  recall(samples = [], since = 0) {
    for (const sample of samples) {
      if (sample[0] < since || sample.length !== this.width + 1) continue;
      this.push(...sample.map((value) => value ?? NaN)); // JSON has null for it
    }
  }

  /**
   * Take samples of the past where this series has none near: each stands for the time before it, `spacingMs` long.
   *
   * What is kept of old samples is thinned first, so that a long look back has room.
   * @param {number[][]} past time and values of each, in order
   */
  weave(past, spacingMs) {
    const samples = this.#thinned(THIN_AFTER_MS, THIN_MS);
    const times = samples.map(([time]) => time);
    const missing = past.filter(([time]) => {
      const near = first(times.length, (place) => times[place] > time - NEAR * spacingMs);
      return near === times.length || times[near] >= time + NEAR * spacingMs;
    });
    if (!missing.length && samples.length === this.length) return;
    this.start = this.length = 0;
    for (const sample of [...samples, ...missing].sort(([one], [other]) => one - other)) this.push(...sample);
  }

  /** The samples; of those older than `after`, only one in `spacing` ms. */
  #thinned(after, spacing) {
    const kept = [];
    const recent = this.length ? this.time(this.length - 1) - after : 0;
    for (let place = 0; place < this.length; place++) {
      const time = this.time(place);
      if (time < recent && kept.length && time - kept[kept.length - 1][0] < spacing) continue;
      const at = (this.start + place) % this.room;
      kept.push([time, ...this.values.subarray(at * this.width, (at + 1) * this.width)]);
    }
    return kept;
  }

  /** The time of the sample at a place, 0 the oldest. */
  time(place) {
    return this.times[(this.start + place) % this.room];
  }

  /** A number of the sample at a place. */
  value(place, which = 0) {
    return this.values[((this.start + place) % this.room) * this.width + which];
  }

  /** The place of the first sample at or after a time; `length` where there is none. */
  from(time) {
    return first(this.length, (place) => this.time(place) >= time);
  }

  /** The largest of a number since a time; 0 where there is none. */
  most(time, which = 0) {
    let most = 0;
    for (let place = this.from(time); place < this.length; place++) {
      const value = this.value(place, which);
      if (value > most) most = value; // and not NaN, which is a number that is unknown
    }
    return most;
  }
}

/**
 * How long a time to show of a series: all of it, in steps, so that a picture that has just begun is not empty.
 * @param {Series} series
 * @returns {number} minutes
 */
export function minutes(series) {
  const seen = series.length ? series.time(series.length - 1) - series.time(0) : 0;
  return [1, 2, 5].find((each) => seen <= each * 60_000) ?? 5;
}

/** The first of so many places at which something is so that stays so; `length` where it never is. */
function first(length, holds) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

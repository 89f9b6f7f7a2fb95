// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
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
    for (const sample of samples) if (sample[0] >= since && sample.length === this.width + 1) this.push(...sample);
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
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The largest of a number since a time; 0 where there is none. */
  most(time, which = 0) {
    let most = 0;
    for (let place = this.from(time); place < this.length; place++) most = Math.max(most, this.value(place, which));
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

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { Rate } from "../../../../console/static/console/rate.js";
import { minutes, Series } from "../../../../console/static/console/series.js";
import { outline } from "../../../../console/static/console/spark.js";

test("a series keeps the last samples and no more", () => {
  const series = new Series(2, 3);
  for (const time of [1, 2, 3, 4, 5]) series.push(time, time * 10, time * 100);
  assert.equal(series.length, 3);
  assert.deepEqual([0, 1, 2].map((place) => series.time(place)), [3, 4, 5]);
  assert.equal(series.value(0, 1), 300);
  assert.equal(series.from(4), 1);
  assert.equal(series.from(9), 3);
  assert.equal(series.most(0), 50);
  series.push(5, 1, 1);
  assert.equal(series.length, 3);
  assert.equal(series.value(2), 1);
});

test("a series outlives its page, but for what is too old or of another shape", () => {
  const series = new Series(1, 5);
  for (const time of [1, 2, 3]) series.push(time, time / 3);
  const other = new Series(1, 5);
  other.recall([...JSON.parse(JSON.stringify(series.told())), [4, 1, 1]], 2);
  assert.deepEqual(other.told(), [[2, 0.67], [3, 1]]);
  other.recall(undefined);
});

test("a picture shows one, two or five minutes", () => {
  const series = new Series(1, 10);
  assert.equal(minutes(series), 1);
  for (const [time, shown] of [[0, 1], [60_000, 1], [61_000, 2], [121_000, 5], [900_000, 5]]) {
    series.push(time, 1);
    assert.equal(minutes(series), shown);
  }
});

test("an outline ends at the right, and its top is the most", () => {
  const series = new Series(1, 10);
  series.push(0, 5);
  assert.equal(outline(series), "");
  series.push(30_000, 10);
  series.push(60_000, 0);
  assert.equal(outline(series), "M0.0 16.0L60.0 2.0L120.0 30.0");
});

test("a rate is of the last five seconds, and begins anew with its total", () => {
  const rate = new Rate();
  assert.equal(rate.at(0, 100), null);
  assert.equal(rate.at(500, 150), null);
  assert.equal(rate.at(1000, 200), 100);
  for (let time = 2000; time <= 20_000; time += 1000) rate.at(time, 200);
  assert.equal(rate.at(21_000, 200), 0);
  assert.ok(rate.seen.length < 10);
  assert.equal(rate.at(22_000, 3), null);
  assert.equal(rate.at(23_000, 5), 2);
});

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** What charts show of the past: the node's history between what the page saw itself, and events as marks. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { read as marksOf } from "../../../../console/static/console/marks.js";
import { Series } from "../../../../console/static/console/series.js";

globalThis.document ??= { addEventListener() {} };
const { read } = await import("../../../../console/static/console/past.js");

const times = (series) => Array.from({ length: series.length }, (_, place) => series.time(place));

test("a piece of history becomes samples that end when it does, without what is unknown", () => {
  const [samples, spacing] = read({
    step_seconds: 10,
    end_ns: 100e9,
    series: { queued_req_num: [null, 3, null, 4], starts_per_second: [null, null, null, 0.5] },
  });
  assert.equal(spacing, 10_000);
  assert.deepEqual(samples, [
    { time: 80_000, values: { queued_req_num: 3, starts_per_second: NaN } },
    { time: 100_000, values: { queued_req_num: 4, starts_per_second: 0.5 } },
  ]);
});

test("the past is woven in where the page saw nothing itself", () => {
  const series = new Series(1, 100);
  for (const time of [100_000, 101_000, 102_000, 140_000, 141_000]) series.push(time, 1);
  series.weave([[80_000, 7], [90_000, 7], [100_500, 7], [120_000, 7], [130_000, 7], [139_000, 7]], 10_000);
  assert.deepEqual(times(series), [80_000, 90_000, 100_000, 101_000, 102_000, 120_000, 130_000, 140_000, 141_000]);
  assert.equal(series.value(0), 7);
  series.push(142_000, 2);
  assert.equal(series.value(series.length - 1), 2);
});

test("the same past again changes nothing", () => {
  const series = new Series(1, 100);
  series.push(200_000, 1);
  const past = [[80_000, 7], [140_000, 7], [195_000, 7]];
  series.weave(past, 60_000);
  series.weave(past, 60_000);
  assert.deepEqual(times(series), [80_000, 140_000, 200_000]);
});

test("an hour has room: what is old is thinned, what is recent is not", () => {
  const series = new Series(1, 1200);
  for (let second = 0; second < 1200; second++) series.push(second * 1000, second);
  series.weave([], 10_000);
  assert.ok(series.length < 600, `${series.length}`);
  assert.equal(series.time(0), 0);
  assert.equal(series.time(series.length - 300), (1200 - 300) * 1000);
});

test("a number that is unknown is not the largest, and outlasts a visit to another page", () => {
  const series = new Series(1, 10);
  series.push(1, NaN);
  series.push(2, 5);
  assert.equal(series.most(0), 5);
  const other = new Series(1, 10);
  other.recall(JSON.parse(JSON.stringify(series.told())));
  assert.ok(Number.isNaN(other.value(0)));
});

test("a cluster has the events that are about it, and those of whole nodes", () => {
  const event = (cluster, text) => ({ cluster, text, severity: "info", time_ns: 5e9 });
  const events = [event("a", "of a"), event("b", "of b"), event("", "of the node")];
  assert.deepEqual(marksOf(events, "a").map(({ text }) => text), ["of a", "of the node"]);
  assert.deepEqual(marksOf(events, "").length, 3);
  assert.equal(marksOf(events, "a")[0].time, 5000);
});

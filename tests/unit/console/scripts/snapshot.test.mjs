// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { Snapshot } from "../../../../console/static/console/snapshot.js";

const SIGNALS = [
  { key: "requests", member: "queued_req_num", style: "gauge" },
  { key: "prompt", member: "prompt_length", style: "gauge" },
];
const rowsOf = (numbers, updated = 0) =>
  new Map(Object.entries(numbers).map(([name, requests]) => [name, { queued_req_num: requests, updated_time: updated }]));

function taken(numbers, now = 0) {
  const snapshot = new Snapshot(SIGNALS, 60);
  const rows = rowsOf(numbers);
  snapshot.place(rows.keys());
  snapshot.read(rows, now);
  snapshot.rank();
  return snapshot;
}

test("the mark, the list and the sums are of one moment", () => {
  const { engines, ranked, sums, imbalance } = taken({ b: 3, a: 1, c: 0 });
  assert.deepEqual(engines.map(({ name }) => name), ["a", "b", "c"]);
  assert.deepEqual(ranked.map(({ name }) => name), ["b", "a"]);
  assert.deepEqual(engines.filter(({ hottest }) => hottest), [ranked[0]]);
  assert.equal(sums.total.requests, 4);
  assert.equal(imbalance, 2.25);
});

test("numbers move at once and the order only when it is made anew", () => {
  const snapshot = taken({ a: 1, b: 2 });
  snapshot.read(rowsOf({ a: 9, b: 2 }), 0);
  assert.deepEqual(snapshot.ranked.map(({ name, requests }) => [name, requests]), [["b", 2], ["a", 9]]);
  snapshot.rank();
  assert.deepEqual(snapshot.ranked.map(({ name }) => name), ["a", "b"]);
  assert.ok(snapshot.engines[0].hottest && !snapshot.engines[1].hottest);
});

test("of equals none is the hottest, and of idle engines neither", () => {
  assert.ok(taken({ a: 2, b: 2 }).engines.every(({ hottest }) => !hottest));
  assert.equal(taken({ a: 0, b: 0 }).imbalance, null);
});

test("an engine is stale that holds requests without news", () => {
  assert.deepEqual(taken({ a: 1, b: 0 }, 60_000).engines.map(({ stale }) => stale), [true, false]);
  assert.deepEqual(taken({ a: 1 }, 59_000).engines.map(({ stale }) => stale), [false]);
});

test("an engine that stays is the same object", () => {
  const snapshot = taken({ a: 1, b: 2 });
  const [, b] = snapshot.engines;
  snapshot.place(["c", "b"]);
  assert.equal(snapshot.engines[0], b);
  assert.deepEqual(snapshot.engines.map(({ name }) => name), ["b", "c"]);
});

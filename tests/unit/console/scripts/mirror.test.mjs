// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { engineName } from "../../../../console/static/console/engine.js";
import { Mirror } from "../../../../console/static/console/mirror.js";

const snapshot = (version, ...rows) => ({ type: "snapshot", version, added_total: 1, engines: rows });
const row = (ip, requests = 0) => ({ ip, requests });

function filled() {
  const mirror = new Mirror("engines", engineName);
  assert.equal(mirror.apply(snapshot(7, row("a"), row("b"))), "all");
  return mirror;
}

test("changes that follow are applied, and those that are gone go", () => {
  const mirror = filled();
  const changes = { type: "changes", version: 8, added_total: 5, engines: [row("a", 3)], gone: [] };
  assert.equal(mirror.apply(changes), "some");
  assert.deepEqual([...mirror.rows.values()], [row("a", 3), row("b")]);
  assert.equal(mirror.head.added_total, 5);
  assert.equal(mirror.apply({ type: "changes", version: 9, engines: [row("c")], gone: ["b"] }), "all");
  assert.deepEqual([...mirror.rows.keys()], ["a", "c"]);
});

test("a gap is seen and changes nothing", () => {
  const mirror = filled();
  assert.equal(mirror.apply({ type: "changes", version: 9, engines: [row("a", 3)], gone: [] }), "gap");
  assert.equal(mirror.apply({ type: "alive", version: 6 }), "gap");
  assert.deepEqual([...mirror.rows.values()], [row("a"), row("b")]);
  assert.equal(new Mirror("engines", engineName).apply({ type: "alive", version: 1 }), "gap");
});

test("a snapshot replaces all, whatever its number", () => {
  const mirror = filled();
  assert.equal(mirror.apply(snapshot(2, row("z"))), "all");
  assert.deepEqual([...mirror.rows.keys()], ["z"]);
  mirror.forget();
  assert.equal(mirror.apply({ type: "changes", version: 3, engines: [], gone: [] }), "gap");
});

test("what a later server says besides is no gap", () => {
  const mirror = filled();
  assert.equal(mirror.apply({ type: "alive", version: 7, added_total: 6 }), "none");
  assert.equal(mirror.head.added_total, 6);
  assert.equal(mirror.apply({ type: "news", version: 99 }), "none");
  assert.equal(mirror.version, 7);
});

test("engines that share an address are told apart", () => {
  const rows = [{}, { port: 8000 }, { dp_rank: 0 }, { port: 8000, dp_rank: 3 }];
  const names = rows.map((more) => engineName({ ip: "10.0.0.1", ...more }));
  assert.deepEqual(names, ["10.0.0.1", "10.0.0.1:8000", "10.0.0.1/0", "10.0.0.1:8000/3"]);
  assert.equal(engineName({ ip: "::1", port: 80 }), "[::1]:80");
  assert.equal(engineName({ ip: "::1" }), "::1");
});

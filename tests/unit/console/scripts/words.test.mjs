// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { wait } from "../../../../console/static/console/backoff.js";
import { asListed } from "../../../../console/static/console/engine.js";
import { age, count, imbalance, rate, some } from "../../../../console/static/console/numbers.js";
import { byName, sorted } from "../../../../console/static/console/order.js";
import { troubles } from "../../../../console/static/console/peers.js";

test("ages are those of the pages that the server renders", () => {
  const cases = [[-5, "now"], [0.4, "now"], [1, "1 s"], [59.9, "59 s"], [60, "1 min"], [3600, "1 h"], [86400, "1 d"]];
  for (const [seconds, text] of cases) assert.equal(age(seconds), text);
});

test("numbers that are not known have a sign of their own", () => {
  assert.deepEqual([count(1234), imbalance(null), imbalance(2)], ["1,234", "idle", "2.00"]);
  assert.deepEqual([0, 1234].map(some), ["–", "1,234"]);
  assert.deepEqual([null, 0, 1234.5].map(rate), ["–", "0.0", "1,235"]);
});

test("waits grow to a limit and are never equal", () => {
  assert.deepEqual([1, 2, 3, 99].map((failures) => wait(failures, 1)), [250, 500, 1000, 10_000]);
  assert.equal(wait(1, 0), 125);
  assert.equal(wait(1, 1, 4000), 4000);
});

test("addresses are in the order in which people count", () => {
  assert.deepEqual(["10.0.0.10", "10.0.0.2", "a", "10.0.0.1"].sort(byName), ["10.0.0.1", "10.0.0.2", "10.0.0.10", "a"]);
});

test("equals are in order of their names and what is not known stands last", () => {
  const rows = [["b", 1], ["a", 1], ["d", null], ["c", 5]].map(([name, value]) => ({ name, value }));
  const names = (sorted) => sorted.map((row) => row.name).join("");
  const order = (falling) => names(sorted(rows, (row) => row.value, (row) => row.name, falling));
  assert.equal(order(true), "cabd");
  assert.equal(order(false), "abcd");
  assert.equal(names(sorted(rows, (row) => row.name, (row) => row.name, true)), "dcba");
});

test("troubles among peers are those of the pages that the server renders", () => {
  const peer = (more) => ({ peer: "p", state: "connected", joined: true, lag_seconds: 0, pulling_buckets: 0, ...more });
  const words = (view) => troubles(view).map((each) => each.words);
  assert.deepEqual(words({}), []);
  assert.deepEqual(words({ joined: true, peers: [peer({}), peer({ state: "legacy", joined: false })] }), []);
  assert.deepEqual(words({ joined: false, peers: [peer({ state: "lost", last_error: "[Errno 111] refused" })] }), [
    "p is lost: refused",
    "This node is still catching up with its peers: its numbers are incomplete",
  ]);
  assert.deepEqual(words({ joined: true, cold_since: "2026-11-23T13:22:03.446Z", peers: [] }), [
    "This node is cold: it may not know requests that were under way before it started (2026-11-23 13:22:03 UTC)",
  ]);
  assert.deepEqual(words({ joined: true, cold_since: null, peers: [] }), []);
  assert.deepEqual(words({ peers: [peer({ lag_seconds: 2, pulling_buckets: 3, joined: false })] }), [
    "This node and p are out of sync; repairing",
    "p is behind: it does not receive this node's events in time",
    "p is still catching up: its numbers are incomplete",
  ]);
});

test("an engine is found by any spelling of its address, and by a part of its name", () => {
  const cases = {
    "fd00::7": ["fd00::7", "FD00::7", "fd00:0::7", "FD00:0:0:0:0:0:0:7"],
    "10.0.0.7": ["10.0.0.7", " ::ffff:10.0.0.7", "::FFFF:a00:7"],
    "[fd00::7]:8000/3": ["[FD00:0::7]:8000/3"],
    "10.0.0.7:8000": ["10.0.0.7:8000", "[::ffff:10.0.0.7]:8000"],
    "fd00:": ["fd00:", "FD00:"],
    "[fd0": ["[FD0"],
    "": [" "],
  };
  for (const [form, spelled] of Object.entries(cases)) {
    for (const each of spelled) assert.equal(asListed(each), form);
  }
});

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { showCells, showTiles, signalsOf, sortKeys, Sums, take } from "../../../../console/static/console/signals.js";

const SIGNALS = [
  { key: "requests", member: "queued_req_num", style: "gauge" },
  { key: "tokens", member: "token_num", style: "some" },
  { key: "orphaned", member: "orphaned_req_num", style: "marked" },
  { key: "block_num", member: "block_num", style: "count" }, // new to the scripts
];
const ROWS = [
  { queued_req_num: 1000, block_num: 7 },
  { queued_req_num: 500, token_num: 3, orphaned_req_num: 2 },
];

function cells() {
  const rect = { width: "", getAttribute: () => rect.width, setAttribute: (_, value) => (rect.width = value) };
  const made = { rect };
  for (const { key } of SIGNALS) made[key] = { textContent: "", className: "", nextElementSibling: { firstElementChild: rect } };
  return made;
}

function tiles(...keys) {
  const made = { texts: {}, alarms: {} };
  made.has = (key) => keys.includes(key);
  made.show = (texts) => Object.assign(made.texts, texts);
  made.alarm = (key, on) => (made.alarms[key] = on);
  return made;
}

test("the page lists the signals", () => {
  assert.deepEqual(signalsOf({ dataset: { signals: JSON.stringify(SIGNALS) } }), SIGNALS);
});

test("every signal of a row is taken over, and is 0 where the row leaves it out", () => {
  const into = { name: "a" };
  take(SIGNALS, ROWS[0], into);
  assert.deepEqual(into, { name: "a", requests: 1000, tokens: 0, orphaned: 0, block_num: 7 });
});

test("every signal is summed, and its largest known", () => {
  const sums = new Sums(SIGNALS);
  for (const row of ROWS) sums.add(row);
  assert.deepEqual(sums.total, { requests: 1500, tokens: 3, orphaned: 2, block_num: 7 });
  assert.deepEqual(sums.most, { requests: 1000, tokens: 3, orphaned: 2, block_num: 7 });
});

test("every signal's column can be sorted by", () => {
  const keys = sortKeys(SIGNALS);
  assert.deepEqual(Object.keys(keys), ["requests", "tokens", "orphaned", "block_num"]);
  assert.equal(keys.block_num({ block_num: 7 }), 7);
});

test("every signal is written into its cell, in its style", () => {
  const row = { requests: 1000, tokens: 0, orphaned: 0, block_num: 0 };
  const made = cells();
  showCells(SIGNALS, made, row, { requests: 2000 });
  assert.deepEqual(SIGNALS.map(({ key }) => made[key].textContent), ["1,000", "–", "–", "0"]);
  assert.deepEqual([made.rect.width, made.orphaned.className], ["50.0", ""]);
  showCells(SIGNALS, made, { ...row, orphaned: 2 }, { requests: 0 });
  assert.deepEqual([made.rect.width, made.orphaned.textContent, made.orphaned.className], ["0", "2", "alarm"]);
});

test("a gauge has no bar where no largest is known", () => {
  const made = cells();
  showCells(SIGNALS, made, { requests: 1, tokens: 1, orphaned: 0, block_num: 7 });
  assert.deepEqual([made.rect.width, made.requests.textContent], ["", "1"]);
});

test("sums are shown in the tiles that the page has", () => {
  const made = tiles("tokens", "orphaned", "block_num");
  showTiles(SIGNALS, made, { requests: 1, tokens: 0, orphaned: 0, block_num: 7 });
  assert.deepEqual(made.texts, { tokens: "–", orphaned: 0, block_num: 7 });
  assert.deepEqual(made.alarms, { orphaned: false });
  showTiles(SIGNALS, made, { requests: 1, tokens: 5, orphaned: 1, block_num: 7 });
  assert.deepEqual(made.alarms, { orphaned: true });
});

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { brief, compact, count } from "../../../../console/static/console/numbers.js";

const cases = JSON.parse(readFileSync(new URL("../numbers.json", import.meta.url)));

test("a number is written as the server writes it", () => {
  assert.ok(cases.length > 10);
  for (const { value, ...texts } of cases) {
    assert.deepEqual({ count: count(value), brief: brief(value), compact: compact(value) }, texts);
  }
});

test("an axis may have a fraction below a thousand", () => {
  assert.deepEqual([0.25, 12.5, 999.5].map(brief), ["0.3", "12.5", "999.5"]);
});

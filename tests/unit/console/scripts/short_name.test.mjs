// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commonStart, shortened, split } from "../../../../console/static/console/short_name.js";

const cases = JSON.parse(readFileSync(new URL("../short_names.json", import.meta.url)));

test("a name keeps what differs, as on the server", () => {
  for (const { names, common, ends } of cases) {
    assert.equal(commonStart(names), common);
    assert.deepEqual(names.map((name) => split(name, common)[1]), ends);
  }
});

test("a name that has room is whole, and else is cut before what differs", () => {
  const name = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
  assert.equal(shortened(name, 32, 36), name);
  assert.equal(shortened(name, 32, 20), "2001:db8:85…370:7348");
  assert.equal(shortened(name, 32, 4), "…370:7348");
  assert.equal(shortened("10.0.0.1", 0, 4), "10.0.0.1");
});

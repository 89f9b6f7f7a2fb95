// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";

import { changed } from "../../../../console/static/console/address.js";
import { isForField } from "../../../../console/static/console/keys.js";

test("a parameter is set, replaced and left out", () => {
  assert.equal(changed("", { sort: "name" }), "?sort=name");
  assert.equal(changed("?sort=name&page=2", { sort: "requests", order: "asc" }), "?sort=requests&page=2&order=asc");
  assert.equal(changed("?paused=1", { paused: "" }), "");
  assert.equal(changed("", { filter: "a&b=[::1]" }), "?filter=a%26b%3D%5B%3A%3A1%5D");
});

test("a key in a field is the field's", () => {
  assert.equal(isForField({ closest: () => ({}) }), true);
  assert.equal(isForField({ closest: () => null }), false);
  assert.equal(isForField(null), false);
});

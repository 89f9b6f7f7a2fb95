// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";

import { changed } from "../../../../console/static/console/address.js";
import { isForField } from "../../../../console/static/console/keys.js";
import { backTo } from "../../../../console/static/console/way_back.js";

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

test("a way back is brought up to date, and nothing else of an address", () => {
  const here = "/console/clusters/c/?sort=name&filter=a&b";
  const link = "http://n/admin/x/?ip=10.0.0.1&next=%2Fconsole%2F";
  assert.equal(new URL(backTo(link, here)).searchParams.get("next"), here);
  assert.equal(new URL(backTo(link, here)).searchParams.get("ip"), "10.0.0.1");
  assert.equal(backTo("http://n/admin/x/?ip=10.0.0.1", here), "http://n/admin/x/?ip=10.0.0.1");
});

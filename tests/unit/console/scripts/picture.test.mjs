// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, step } from "../../../../console/static/console/grid.js";
import { blend, isLight, rgb, roundUp, shade, Top } from "../../../../console/static/console/scale.js";

test("a field of any size fits its width and shows all it says", () => {
  for (const width of [280, 900, 1500]) {
    for (const cells of [1, 2, 20, 100, 1000, 3000]) {
      const { columns, rows, wide, high, shown } = fill(cells, width, 340);
      assert.ok(columns * wide <= width + 1, `${cells} in ${width}`);
      assert.equal(shown, cells);
      assert.ok(columns * rows >= cells);
      assert.ok(high >= 7 && rows * high <= 3 * 340);
    }
  }
  assert.ok(fill(100_000, 900, 340).shown < 100_000);
  assert.equal(fill(0, 900, 340).shown, 0);
});

test("a thousand cells are no stripes", () => {
  const { wide, high } = fill(1000, 900, 340);
  assert.ok(wide / high < 2.5 && high / wide < 1);
});

test("arrow keys stay in the field", () => {
  const to = (key, from) => step(key, from, 10, 4);
  assert.deepEqual([to("ArrowRight", 0), to("ArrowLeft", 0), to("ArrowDown", 1), to("ArrowUp", 1)], [1, 0, 5, 1]);
  assert.deepEqual([to("ArrowDown", 7), to("Home", 7), to("End", 7), to("x", 7)], [7, 0, 9, 7]);
});

test("scales end at round numbers and do not breathe", () => {
  assert.deepEqual([0, 5, 6, 41, 100, 101].map((value) => roundUp(value)), [5, 5, 6, 50, 100, 150]);
  const top = new Top(5);
  assert.deepEqual([3, 41, 26, 21, 60, 24].map((most) => top.follow(most)), [5, 50, 50, 50, 60, 60]);
  assert.equal(top.follow(4), 5);
});

test("the ramp rises and stays a colour", () => {
  assert.deepEqual(blend([[0, 0, 0], [100, 100, 100], [200, 0, 0]], 0.75), [150, 50, 50]);
  assert.deepEqual(blend([[0, 0, 0], [9, 9, 9]], 7), [9, 9, 9]);
  assert.ok(shade(1, 10) > 0.1 && shade(10, 10) === 1 && shade(99, 10) === 1 && shade(0, 10) === 0);
  assert.deepEqual(rgb(" #0f766e"), [15, 118, 110]);
  assert.ok(isLight([255, 255, 255]) && !isLight([15, 118, 110]));
});

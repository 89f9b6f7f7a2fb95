// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** A series as the outline of a small picture, 120 wide and 32 high, for an SVG path. Pure. */

const [WIDE, HIGH] = [120, 32];

import { minutes } from "./series.js";

/**
 * @param {import("./series.js").Series} series its last minutes are the whole width
 * @param {number} [which]
 * @returns {string} the path's `d`; empty before there are two samples
 */
export function outline(series, which = 0) {
  if (series.length < 2) return "";
  const windowMs = minutes(series) * 60_000;
  const end = series.time(series.length - 1);
  const first = series.from(end - windowMs);
  const top = Math.max(1, series.most(end - windowMs, which));
  let path = "";
  for (let place = first; place < series.length; place++) {
    const x = WIDE - ((end - series.time(place)) / windowMs) * WIDE;
    const y = HIGH - 2 - (series.value(place, which) / top) * (HIGH - 4);
    path += `${path ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }
  return path;
}

/** Show an outline, and what is under it. */
export function draw(svg, path) {
  const [area, line] = svg.children;
  line.setAttribute("d", path);
  area.setAttribute("d", path ? `${path}V${HIGH}H${path.slice(1, path.indexOf(" "))}Z` : "");
}

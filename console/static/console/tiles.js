// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The numbers at the top of a page. */

import { compact, count } from "./numbers.js";
import { draw, outline } from "./spark.js";

export class Tiles {
  constructor() {
    this.tiles = {};
    for (const tile of document.querySelectorAll("[data-tile]")) {
      this.tiles[tile.dataset.tile] = { tile, number: tile.querySelector("dd"), svg: tile.querySelector("svg") };
    }
  }

  /** Whether the page has a tile. */
  has(name) {
    return name in this.tiles;
  }

  /**
   * Write tiles. A number that is too long is shown in short, with its exact form on hover and for screen readers.
   * @param {Record<string, string|number>} values by tile
   */
  show(values) {
    for (const [name, value] of Object.entries(values)) {
      const { tile, number } = this.tiles[name];
      const [exact, shown] = typeof value === "number" ? [count(value), compact(value)] : [value, value];
      if (tile.exact === exact) continue;
      tile.exact = exact;
      if (shown === exact) number.textContent = exact;
      else number.replaceChildren(part(shown, "", exact), part(exact, "skip"));
    }
  }

  /** Whether a tile's number is one that somebody should look after. */
  alarm(name, on) {
    this.tiles[name].tile.classList.toggle("alarm", on);
  }

  /** Draw a series' number in a tile. */
  trend(name, series, which) {
    draw(this.tiles[name].svg, outline(series, which));
  }
}

/** A part of a tile's number: what is seen has the exact number as its title, what is read aloud is out of sight. */
function part(text, className, title = "") {
  const span = document.createElement("span");
  span.textContent = text;
  span.className = className;
  if (title) {
    span.title = title;
    span.ariaHidden = "true";
  }
  return span;
}

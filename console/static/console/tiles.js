// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The numbers at the top of a page. */

import { write, writeNumber } from "./write.js";
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
      const { number } = this.tiles[name];
      if (typeof value === "number") writeNumber(number, value);
      else write(number, value);
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

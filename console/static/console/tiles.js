// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The numbers at the top of a page. */

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

  /** @param {Record<string, string>} texts by tile */
  show(texts) {
    for (const [name, text] of Object.entries(texts)) {
      const { number } = this.tiles[name];
      if (number.textContent !== text) number.textContent = text;
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

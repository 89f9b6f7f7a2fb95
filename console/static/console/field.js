// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * The field of engines: a cell each, in the order of their addresses, coloured by load.
 *
 * A cell keeps its place for as long as the engines are the same. It has as much text as fits; the rest is told by the
 * pointer or the arrow keys.
 */

import { Canvas } from "./canvas.js";
import { Frame } from "./frame.js";
import { fill, step } from "./grid.js";
import { brief, count } from "./numbers.js";
import { blend, isLight, shade, Top } from "./scale.js";

const LOWEST = 120;
const HIGHEST = 340;

export class Field {
  /**
   * @param {HTMLElement} box
   * @param {object} how
   * @param {import("./palette.js").Palette} how.palette
   * @param {(engine: object) => string[]} how.tell lines about an engine; the first is its name
   * @param {(engine: object) => void} how.choose it was clicked, or Enter was pressed on it
   * @param {(name: string, most: number) => string} how.shorten a name in so many characters
   * @param {(words: string) => void} how.say to who cannot see it
   * @param {(top: number) => void} how.scaled where the scale ends now
   */
  constructor(box, { palette, tell, choose, shorten, say, scaled }) {
    this.box = box;
    this.palette = palette;
    this.tell = tell;
    this.shorten = shorten;
    this.say = say;
    this.scaled = scaled;
    this.tip = box.querySelector(".tip");
    this.engines = [];
    this.measure = "requests";
    this.tops = { requests: new Top(5), prompt: new Top(1000), tokens: new Top(1000) };
    this.dimmed = () => false;
    this.at = -1;
    this.frame = new Frame(() => this.#draw());
    this.canvas = new Canvas(box, () => this.#lay());
    box.addEventListener("pointermove", (event) => this.#point(this.#cellAt(event)));
    box.addEventListener("pointerleave", () => this.#point(-1));
    box.addEventListener("blur", () => this.#point(-1));
    box.addEventListener("click", () => this.engines[this.at] && choose(this.engines[this.at]));
    box.addEventListener("keydown", (event) => this.#press(event, choose));
  }

  /** Other engines than before; in their order. */
  place(engines) {
    this.engines = engines;
    this.at = -1;
    this.#lay();
  }

  /** What they are coloured by: "requests", "prompt" or "tokens". */
  by(measure) {
    this.measure = measure;
    this.draw();
  }

  /** Their numbers changed. */
  draw() {
    this.frame.ask();
  }

  /** How many there is no room for. */
  get cut() {
    return this.engines.length - (this.grid?.shown ?? 0);
  }

  #lay() {
    if (!this.canvas.width) return;
    const aimed = Math.min(HIGHEST, Math.max(LOWEST, innerHeight * 0.42));
    this.grid = fill(this.engines.length, this.canvas.width, aimed);
    this.canvas.setHeight(Math.max(LOWEST, this.grid.rows * this.grid.high));
    this.draw();
  }

  #draw() {
    const { grid, engines, measure, palette } = this;
    const pen = this.canvas.clear();
    if (!grid || !engines.length) return;
    let most = 0;
    for (const engine of engines) most = Math.max(most, engine[measure]);
    const top = this.tops[measure].follow(most);
    this.scaled(top);
    const { wide, high, gap, columns } = grid;
    const height = high - gap;
    const width = Math.floor(wide) - gap;
    const corner = high >= 28 ? 6 : high >= 14 ? 3 : 1;
    const named = width >= 84 && height >= 38;
    const numbered = width >= 26 && height >= 15;
    const size = named ? Math.min(22, Math.round(height * 0.42)) : Math.min(14, Math.round(height * 0.6));
    pen.textBaseline = "middle";
    for (let place = 0; place < grid.shown; place++) {
      const engine = engines[place];
      const left = Math.round((place % columns) * wide);
      const up = Math.floor(place / columns) * high;
      const value = engine[measure];
      const colour = value ? blend(palette.ramp, shade(value, top)) : null;
      pen.globalAlpha = this.dimmed(engine) ? 0.18 : 1;
      pen.beginPath();
      pen.roundRect(left + 0.5, up + 0.5, width - 1, height - 1, corner);
      if (colour) {
        pen.fillStyle = `rgb(${colour})`;
        pen.fill();
      } else {
        pen.strokeStyle = palette.line;
        pen.lineWidth = 1;
        pen.stroke();
      }
      const ink = colour ? (isLight(colour) ? "#0b1013" : "#fff") : palette.dim;
      if (engine.stale) this.#hatch(pen, left, up, width, height, ink);
      if (engine.orphaned) this.#dot(pen, left + width, up, Math.min(5, width / 5, height / 5), ink);
      if (numbered) {
        pen.fillStyle = ink;
        pen.font = `600 ${size}px ${palette.font}`;
        pen.textAlign = named ? "left" : "center";
        const text = value < (named ? 1e6 : 1e4) ? count(value) : brief(value);
        const down = named ? height * 0.36 : height / 2 + 0.5;
        pen.fillText(text, named ? left + 9 : left + width / 2, up + down, width - 4);
        if (named) {
          pen.font = `11px ${palette.font}`;
          const room = Math.floor((width - 16) / pen.measureText("0").width);
          pen.fillText(this.shorten(engine.name, room), left + 9, up + height * 0.76, width - 16);
        }
      }
      if (engine.hottest) this.#ring(pen, left, up, width, height, corner, palette.text, 2);
    }
    pen.globalAlpha = 1;
    if (this.at >= 0) {
      const left = Math.round((this.at % columns) * wide);
      const up = Math.floor(this.at / columns) * high;
      this.#ring(pen, left, up, width, height, corner, palette.accent, 3);
      this.#tell(left + width / 2, up, high);
    }
  }

  #ring(pen, left, up, width, height, corner, colour, thick) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    pen.roundRect(left + thick / 2, up + thick / 2, width - thick, height - thick, corner);
    pen.stroke();
  }

  /** A mark in the upper right corner. */
  #dot(pen, right, up, radius, ink) {
    pen.fillStyle = ink;
    pen.beginPath();
    pen.arc(right - 1.8 * radius, up + 1.8 * radius, radius, 0, 2 * Math.PI);
    pen.fill();
  }

  #hatch(pen, left, up, width, height, ink) {
    pen.save();
    pen.beginPath();
    pen.rect(left, up, width, height);
    pen.clip();
    pen.strokeStyle = ink;
    pen.globalAlpha *= 0.45;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (let x = left - height; x < left + width; x += 6) {
      pen.moveTo(x, up + height);
      pen.lineTo(x + height, up);
    }
    pen.stroke();
    pen.restore();
  }

  #cellAt(event) {
    const { left, top } = this.canvas.element.getBoundingClientRect();
    if (!this.grid) return -1;
    const column = Math.floor((event.clientX - left) / this.grid.wide);
    const row = Math.floor((event.clientY - top) / this.grid.high);
    const cell = row * this.grid.columns + column;
    return column >= 0 && column < this.grid.columns && row >= 0 && cell < this.grid.shown ? cell : -1;
  }

  #point(cell) {
    if (cell === this.at) return;
    this.at = cell;
    this.tip.hidden = cell < 0;
    this.draw();
  }

  #press(event, choose) {
    if (event.key === "Escape") this.#point(-1);
    if (event.key === "Enter" && this.engines[this.at]) choose(this.engines[this.at]);
    const moved = /^Arrow|^Home$|^End$/.test(event.key);
    if (!moved || !this.grid?.shown) return;
    event.preventDefault();
    this.#point(this.at < 0 ? 0 : step(event.key, this.at, this.grid.shown, this.grid.columns));
    this.say(this.tell(this.engines[this.at]).join(", "));
  }

  #tell(x, up, high) {
    const engine = this.engines[this.at];
    if (!engine) return;
    const lines = this.tell(engine);
    while (this.tip.childElementCount < lines.length) this.tip.append(document.createElement("span"));
    lines.forEach((line, at) => (this.tip.children[at].textContent = line));
    const half = this.tip.offsetWidth / 2;
    const left = Math.min(Math.max(x, half), Math.max(half, this.canvas.width - half));
    const above = up - this.tip.offsetHeight - 6;
    this.tip.style.transform = `translate(${left - half}px, ${above < -40 ? up + high + 4 : above}px)`;
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * Some numbers over the last minutes, on a canvas: lines, and a band between two of them.
 *
 * The pointer, or the left and right arrow keys, read off a moment; else the values shown are the present ones.
 */

import { Canvas } from "./canvas.js";
import { Frame } from "./frame.js";
import { brief, clock } from "./numbers.js";
import { Top } from "./scale.js";
import { minutes } from "./series.js";

/** Two samples further apart than this have a time between them of which nothing is known. */
const GAP_MS = 6000;
const [LEFT, RIGHT, ABOVE, BELOW] = [44, 8, 8, 20];

export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} values where the numbers are told
   * @param {object} what
   * @param {import("./palette.js").Palette} what.palette
   * @param {import("./series.js").Series} what.series
   * @param {{name: string, which: number, colour: string, thin?: boolean, filled?: boolean,
   *   show: (value: number) => string}[]} what.lines
   * @param {[number, number]} [what.band] the two numbers that it lies between
   * @param {number} [what.least] the least that the scale ends at
   */
  constructor(box, values, { palette, series, lines, band, least = 5 }) {
    Object.assign(this, { box, palette, series, lines, band });
    this.top = new Top(least);
    this.back = -1; // how many samples ago is read off; -1: none
    this.frame = new Frame(() => this.#draw());
    this.canvas = new Canvas(box, () => this.draw());
    this.told = lines.map(({ name, colour }) => {
      const word = document.createElement("span");
      word.className = `line ${colour}`;
      word.textContent = name;
      const number = document.createElement("b");
      values.append(word, number);
      return number;
    });
    this.when = document.createElement("time");
    values.prepend(this.when);
    const left = () => this.canvas.element.getBoundingClientRect().left;
    box.addEventListener("pointermove", (event) => this.#read(event.clientX - left()));
    box.addEventListener("pointerleave", () => this.#goBack(-1));
    box.addEventListener("blur", () => this.#goBack(-1));
    box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#goBack(Math.min(this.series.length - 1, this.back + 1));
      else if (event.key === "ArrowRight") this.#goBack(Math.max(-1, this.back - 1));
      else return;
      event.preventDefault();
    });
  }

  draw() {
    this.frame.ask();
  }

  #goBack(samples) {
    this.back = samples;
    this.draw();
  }

  #read(x) {
    const time = this.end - ((this.canvas.width - RIGHT - x) / (this.canvas.width - LEFT - RIGHT)) * this.windowMs;
    const place = Math.min(this.series.length - 1, this.series.from(time));
    this.#goBack(this.series.length - 1 - place);
  }

  #draw() {
    const { series, palette, lines } = this;
    const { width, height } = this.canvas;
    const pen = this.canvas.clear();
    if (!width || !series.length) return;
    this.end = series.time(series.length - 1);
    this.windowMs = minutes(series) * 60_000;
    const begin = this.end - this.windowMs;
    const top = this.top.follow(Math.max(...lines.map(({ which }) => series.most(begin, which))));
    const x = (time) => LEFT + ((time - begin) / this.windowMs) * (width - LEFT - RIGHT);
    const y = (value) => ABOVE + (1 - value / top) * (height - ABOVE - BELOW);
    this.#axes(pen, x, y, top, begin);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT - RIGHT + 2, height);
    pen.clip();
    const first = Math.max(0, series.from(begin) - 1);
    const draw = (place, which) => pen.lineTo(x(series.time(place)), y(series.value(place, which)));
    for (const [from, to] of this.#runs(first)) {
      if (this.band) {
        pen.beginPath();
        for (let place = from; place < to; place++) draw(place, this.band[0]);
        for (let place = to - 1; place >= from; place--) draw(place, this.band[1]);
        pen.fillStyle = palette.soft;
        pen.fill();
      }
      for (const line of lines) {
        pen.beginPath();
        for (let place = from; place < to; place++) draw(place, line.which);
        pen.strokeStyle = palette[line.colour];
        pen.lineWidth = line.thin ? 1 : 1.75;
        pen.lineJoin = "round";
        pen.stroke();
        if (line.filled) {
          pen.lineTo(x(series.time(to - 1)), y(0));
          pen.lineTo(x(series.time(from)), y(0));
          pen.globalAlpha = 0.5;
          pen.fillStyle = palette.soft;
          pen.globalCompositeOperation = "destination-over";
          pen.fill();
          pen.globalCompositeOperation = "source-over";
          pen.globalAlpha = 1;
        }
      }
    }
    pen.restore();
    this.#tell(pen, x, y);
  }

  /** Stretches of samples without a gap, as places from and to. */
  *#runs(first) {
    let from = first;
    for (let place = first + 1; place <= this.series.length; place++) {
      if (place === this.series.length || this.series.time(place) - this.series.time(place - 1) > GAP_MS) {
        yield [from, place];
        from = place;
      }
    }
  }

  #axes(pen, x, y, top, begin) {
    pen.font = `11px ${this.palette.font}`;
    pen.fillStyle = this.palette.dim;
    pen.strokeStyle = this.palette.line;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(top * share)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT, at);
      pen.lineTo(this.canvas.width - RIGHT, at);
      pen.stroke();
      pen.fillText(brief(top * share), LEFT - 8, at);
    }
    pen.textBaseline = "alphabetic";
    const all = this.windowMs / 60_000;
    const narrow = this.canvas.width < 380;
    for (let ago = all; ago >= 0; ago -= narrow ? all : all === 1 ? 0.5 : 1) {
      pen.textAlign = ago === 0 ? "right" : ago === all ? "left" : "center";
      const words = ago === 0 ? "now" : ago < 1 ? "−30 s" : `−${ago} min`;
      pen.fillText(words, x(this.end - ago * 60_000), this.canvas.height - 4);
    }
  }

  #tell(pen, x, y) {
    const { series } = this;
    const place = series.length - 1 - Math.max(0, Math.min(this.back, series.length - 1));
    this.when.textContent = this.back < 0 ? "" : clock(series.time(place));
    this.lines.forEach(({ which, show }, at) => (this.told[at].textContent = show(series.value(place, which))));
    if (this.back < 0) return;
    const at = Math.round(x(series.time(place))) + 0.5;
    pen.strokeStyle = this.palette.dim;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(at, ABOVE);
    pen.lineTo(at, this.canvas.height - BELOW);
    pen.stroke();
    for (const { which, colour } of this.lines) {
      pen.fillStyle = this.palette[colour];
      pen.beginPath();
      pen.arc(at, y(series.value(place, which)), 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}

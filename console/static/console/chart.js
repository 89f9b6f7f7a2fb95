// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * Some numbers over the last minutes, on a canvas: lines, a band between two of them, and marks for events.
 *
 * A moment is read off with the pointer, a finger or the arrow keys; else the values shown are the present ones.
 */

import { Canvas } from "./canvas.js";
import { Frame } from "./frame.js";
import { brief, clock } from "./numbers.js";
import { Top } from "./scale.js";

/** Two samples further apart than this have a time between them of which nothing is known. */
const GAP_MS = 6000;
/** The same for samples that stand for a longer time, in spacings. */
const GAP_SPACINGS = 1.6;
const [LEFT, RIGHT, ABOVE, BELOW] = [44, 8, 8, 20];
const NEAR_PX = 6; // a mark is read off from this near
const KEY_STEPS = 60; // presses of an arrow key from end to end; with Shift a tenth

export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} values where the numbers are told
   * @param {object} what
   * @param {import("./palette.js").Palette} what.palette
   * @param {import("./series.js").Series} what.series the last number of each sample is its spacing in ms
   * @param {{name: string, which: number, colour: string, thin?: boolean, filled?: boolean,
   *   show: (value: number) => string}[]} what.lines
   * @param {() => number} what.span how long a time is shown, in ms
   * @param {import("./marks.js").Marks} [what.marks]
   * @param {[number, number]} [what.band] the two numbers that it lies between
   * @param {number} [what.least] the least that the scale ends at
   */
  constructor(box, values, { palette, series, lines, span, marks, band, least = 5 }) {
    Object.assign(this, { box, palette, series, lines, span, marks, band });
    this.top = new Top(least);
    this.reading = null; // the time that is read off, ms since the epoch; null: the present
    this.frame = new Frame(() => this.#draw());
    this.canvas = new Canvas(box, () => this.draw());
    values.replaceChildren();
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
    this.tip = document.createElement("div");
    this.tip.className = "tip event";
    this.tip.hidden = true;
    box.append(this.tip);
    this.#listen();
  }

  draw() {
    this.frame.ask();
  }

  #listen() {
    const { box } = this;
    const point = (event) => this.#read(event.clientX - this.canvas.element.getBoundingClientRect().left);
    box.addEventListener("pointermove", point);
    box.addEventListener("pointerdown", point);
    box.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#goTo(null));
    box.addEventListener("blur", () => this.#goTo(null));
    box.addEventListener("keydown", (event) => {
      const step = (event.shiftKey ? 10 : 1) * (this.windowMs / KEY_STEPS);
      const now = this.reading ?? this.end;
      if (event.key === "ArrowLeft") this.#goTo(Math.max(this.end - this.windowMs, now - step));
      else if (event.key === "ArrowRight") this.#goTo(now + step >= this.end ? null : now + step);
      else if (event.key === "Home") this.#goTo(this.end - this.windowMs);
      else if (event.key === "End" || event.key === "Escape") this.#goTo(null);
      else return;
      event.preventDefault();
    });
  }

  #goTo(time) {
    this.reading = time;
    this.draw();
  }

  #read(x) {
    this.#goTo(this.end - ((this.canvas.width - RIGHT - x) / (this.canvas.width - LEFT - RIGHT)) * this.windowMs);
  }

  /** The place of the sample that is nearest to the time that is read off. */
  #place() {
    const { series } = this;
    const last = series.length - 1;
    if (this.reading === null) return last;
    const after = Math.min(last, series.from(this.reading));
    const before = Math.max(0, after - 1);
    return series.time(after) - this.reading < this.reading - series.time(before) ? after : before;
  }

  #draw() {
    const { series, palette, lines } = this;
    const { width, height } = this.canvas;
    const pen = this.canvas.clear();
    if (!width || !series.length) return;
    this.box.querySelector(".still")?.remove(); // the server's picture
    this.end = series.time(series.length - 1);
    this.windowMs = this.span();
    const begin = this.end - this.windowMs;
    const top = this.top.follow(Math.max(...lines.map(({ which }) => series.most(begin, which))));
    const x = (time) => LEFT + ((time - begin) / this.windowMs) * (width - LEFT - RIGHT);
    const y = (value) => ABOVE + (1 - value / top) * (height - ABOVE - BELOW);
    this.#axes(pen, x, y, top);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT - RIGHT + 2, height);
    pen.clip();
    const first = Math.max(0, series.from(begin) - 1);
    const draw = (place, which) => pen.lineTo(x(series.time(place)), y(series.value(place, which)));
    if (this.band) {
      for (const [from, to] of this.#runs(first, this.band[0])) {
        pen.beginPath();
        for (let place = from; place < to; place++) draw(place, this.band[0]);
        for (let place = to - 1; place >= from; place--) draw(place, this.band[1]);
        pen.fillStyle = palette.soft;
        pen.fill();
      }
    }
    for (const line of lines) {
      for (const [from, to] of this.#runs(first, line.which)) {
        pen.beginPath();
        for (let place = from; place < to; place++) draw(place, line.which);
        if (to - from === 1) pen.lineTo(x(series.time(from)) + 1, y(series.value(from, line.which)));
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
    this.#mark(pen, x, begin);
    pen.restore();
    this.#tell(pen, x, y);
  }

  /** Stretches in which a number is known without a gap, as places from and to. */
  *#runs(first, which) {
    const { series } = this;
    const spacing = (place) => series.value(place, series.width - 1);
    let from = first;
    for (let place = first; place <= series.length; place++) {
      const unknown = place < series.length && Number.isNaN(series.value(place, which));
      const apart =
        place > from &&
        place < series.length &&
        series.time(place) - series.time(place - 1) >
          Math.max(GAP_MS, GAP_SPACINGS * Math.max(spacing(place), spacing(place - 1)));
      if (place === series.length || unknown || apart) {
        if (place > from) yield [from, place];
        from = unknown ? place + 1 : place;
      }
    }
  }

  #axes(pen, x, y, top) {
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
    const step = this.canvas.width < 380 ? all : all > 15 ? 15 : all > 5 ? 5 : 1;
    for (let ago = all; ago >= 0; ago -= step) {
      pen.textAlign = ago === 0 ? "right" : ago === all ? "left" : "center";
      const words = ago === 0 ? "now" : ago === 60 ? "−1 h" : `−${ago} min`;
      pen.fillText(words, x(this.end - ago * 60_000), this.canvas.height - 4);
    }
  }

  /** Draw the events, and show the words of those that are near to what is read off. */
  #mark(pen, x, begin) {
    const marks = this.marks?.since(begin) ?? [];
    const floor = this.canvas.height - BELOW;
    for (const { time, severity } of marks) {
      const at = Math.round(x(time)) + 0.5;
      pen.strokeStyle = pen.fillStyle = severity === "info" ? this.palette.dim : this.palette.warn;
      pen.lineWidth = 1;
      pen.setLineDash([2, 3]);
      pen.beginPath();
      pen.moveTo(at, ABOVE);
      pen.lineTo(at, floor);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.moveTo(at - 4, floor + 6);
      pen.lineTo(at + 4, floor + 6);
      pen.lineTo(at, floor);
      pen.fill();
    }
    const near = (mark) => this.reading !== null && Math.abs(x(mark.time) - x(this.reading)) <= NEAR_PX;
    const words = marks.filter(near).map(({ time, text }) => `${clock(time)} ${text}`);
    this.tip.hidden = words.length === 0;
    if (words.length) this.tip.textContent = words.join("\n");
    this.words = words;
  }

  #tell(pen, x, y) {
    const { series } = this;
    const place = this.#place();
    const time = series.time(place);
    this.when.textContent = this.reading === null ? "" : clock(time);
    const said = this.lines.map(({ name, which, show }, at) => {
      const value = series.value(place, which);
      const text = Number.isNaN(value) ? "–" : show(value);
      this.told[at].textContent = text;
      return `${name} ${text}`;
    });
    this.box.setAttribute("role", "slider"); // from now on it has values
    this.box.ariaValueMax = "0";
    this.box.ariaValueMin = String(-Math.round(this.windowMs / 1000));
    this.box.ariaValueNow = String(this.reading === null ? 0 : Math.round((time - this.end) / 1000));
    const when = this.reading === null ? "now" : clock(time);
    const value = [`${when}: ${said.join(", ")}`, ...this.words].join("; ");
    if (document.activeElement === this.box || !this.box.ariaValueText) this.box.ariaValueText = value;
    if (this.reading === null) return;
    const at = Math.round(x(time)) + 0.5;
    pen.strokeStyle = this.palette.dim;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(at, ABOVE);
    pen.lineTo(at, this.canvas.height - BELOW);
    pen.stroke();
    for (const { which, colour } of this.lines) {
      const value = series.value(place, which);
      if (Number.isNaN(value)) continue;
      pen.fillStyle = this.palette[colour];
      pen.beginPath();
      pen.arc(at, y(value), 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}

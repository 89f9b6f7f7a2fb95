// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** A canvas as large as the box around it, sharp on any screen. */
export class Canvas {
  /**
   * @param {HTMLElement} box
   * @param {() => void} resized
   */
  constructor(box, resized) {
    this.element = box.querySelector("canvas");
    this.pen = this.element.getContext("2d");
    this.width = 0;
    this.height = 0;
    new ResizeObserver(() => {
      this.#fit(box.clientWidth, this.height || box.clientHeight);
      resized();
    }).observe(box);
  }

  /** Make it this high; its box follows. */
  setHeight(height) {
    if (height !== this.height) this.#fit(this.width, height);
  }

  /** Empty it, and return the pen, scaled to CSS pixels. */
  clear() {
    this.pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.pen.clearRect(0, 0, this.width, this.height);
    return this.pen;
  }

  #fit(width, height) {
    this.width = width;
    this.height = height;
    this.ratio = devicePixelRatio || 1;
    this.element.width = Math.round(width * this.ratio);
    this.element.height = Math.round(height * this.ratio);
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
  }
}

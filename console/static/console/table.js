// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * A table of many rows that change often. Only the rows in sight are in the page, and only what changed is written.
 *
 * The page asks for a new order at calm intervals. It is not made while the pointer is on the table, so that a row stays
 * where it is read.
 */

import { readState, writeState } from "./address.js";
import { Frame } from "./frame.js";
import { sorted } from "./order.js";

const BEYOND = 8; // rows above and below those in sight

export class Table {
  /**
   * @param {HTMLTableElement} table its headings with `data-sort` get buttons
   * @param {HTMLTemplateElement} template a row, its cells with `data-cell`
   * @param {object} how
   * @param {string} how.key the member of a row that names it
   * @param {Record<string, (row: object) => number|string|null>} how.values what to sort by, by column
   * @param {(cells: Record<string, Element>, row: object) => void} how.show writes a row into its cells
   * @param {string} how.by the column at first
   * @param {(shown: number, all: number) => void} how.counted
   */
  constructor(table, template, { key, values, show, by, counted }) {
    Object.assign(this, { table, template, key, values, show, counted });
    this.by = readState("sort") in values ? readState("sort") : by;
    this.falling = readState("order") ? readState("order") !== "asc" : this.by !== key;
    this.body = table.tBodies[0];
    this.rows = [];
    this.passes = () => true;
    /** @type {Map<string, {line: Element, cells: object}>} lines in the page by name */
    this.lines = new Map();
    this.order = [];
    this.chosen = null;
    this.begun = false; // until then the server's rows stay
    this.frame = new Frame(() => this.#draw());
    this.#headings();
    addEventListener("scroll", () => this.frame.ask(), { passive: true });
    addEventListener("resize", () => this.frame.ask());
  }

  /** Other rows than before. */
  place(rows) {
    if (!this.begun) this.#begin();
    this.rows = rows;
    this.sort();
  }

  /** Which rows to show. */
  filter(passes) {
    this.passes = passes;
    this.sort();
  }

  /** Their numbers changed. */
  draw() {
    this.frame.ask();
  }

  /** Make the order anew. */
  sort() {
    if (!this.begun) return;
    const shown = this.rows.filter(this.passes);
    this.order = sorted(shown, this.values[this.by], (row) => row[this.key], this.falling);
    this.counted(shown.length, this.rows.length);
    this.frame.ask();
  }

  /** Make the order anew, unless the pointer is on a row. */
  calm() {
    if (!this.body.matches(":hover")) this.sort();
  }

  /** Bring a row into sight and mark it. */
  reveal(row) {
    if (!this.order.includes(row)) return;
    this.chosen = row[this.key];
    const up = this.body.getBoundingClientRect().top + scrollY + this.order.indexOf(row) * this.#height();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scrollTo({ top: up - innerHeight / 2, behavior: still ? "auto" : "smooth" });
    this.frame.ask();
  }

  #headings() {
    for (const heading of this.table.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const by = heading.dataset.sort;
        this.falling = by === this.by ? !this.falling : by !== this.key;
        this.by = by;
        writeState({ sort: by, order: this.falling ? "desc" : "asc" });
        this.#mark();
        this.sort();
      });
    }
    this.#mark();
  }

  #mark() {
    for (const heading of this.table.querySelectorAll("th[data-sort]")) {
      heading.removeAttribute("aria-sort");
      if (heading.dataset.sort === this.by) heading.ariaSort = this.falling ? "descending" : "ascending";
    }
  }

  #height() {
    return parseFloat(getComputedStyle(this.table).getPropertyValue("--row")) || 40;
  }

  #begin() {
    this.begun = true;
    this.above = this.#spacer();
    this.below = this.#spacer();
    this.body.replaceChildren(this.above, this.below);
  }

  #spacer() {
    const row = document.createElement("tr");
    row.className = "spacer";
    row.setAttribute("aria-hidden", "true");
    row.append(document.createElement("td"));
    return row;
  }

  #draw() {
    if (!this.begun) return;
    const height = this.#height();
    const from = Math.max(0, Math.floor(-this.body.getBoundingClientRect().top / height) - BEYOND);
    const to = Math.min(this.order.length, from + Math.ceil(innerHeight / height) + 2 * BEYOND);
    const first = Math.min(from, to);
    const inSight = this.order.slice(first, to);
    const keep = new Set(inSight.map((row) => row[this.key]));
    for (const [name, { line }] of this.lines) {
      if (!keep.has(name)) {
        line.remove();
        this.lines.delete(name);
      }
    }
    this.#space(this.above, first * height);
    this.#space(this.below, (this.order.length - to) * height);
    let before = this.above;
    inSight.forEach((row, at) => {
      const name = row[this.key];
      const { line, cells } = this.lines.get(name) ?? this.#make(name);
      if (before.nextSibling !== line) before.after(line);
      before = line;
      const place = String(first + at + 2); // the heading is the first
      if (line.getAttribute("aria-rowindex") !== place) line.setAttribute("aria-rowindex", place);
      line.classList.toggle("chosen", name === this.chosen);
      this.show(cells, row);
    });
    this.table.setAttribute("aria-rowcount", String(this.order.length + 1));
  }

  #make(name) {
    const line = this.template.content.firstElementChild.cloneNode(true);
    const cells = {};
    for (const cell of line.querySelectorAll("[data-cell]")) cells[cell.dataset.cell] = cell;
    const made = { line, cells };
    this.lines.set(name, made);
    return made;
  }

  #space(spacer, height) {
    spacer.hidden = height === 0;
    spacer.firstChild.style.height = `${height}px`;
  }
}

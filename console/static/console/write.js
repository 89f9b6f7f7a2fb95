// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Texts and numbers into elements. What is there already is left alone, so that nothing is read aloud twice. */

import { compact, count } from "./numbers.js";

/** Write a text where it is another than before. */
export function write(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

/**
 * Write a number. One of six digits or more is shown in short, with its exact form on hover and for screen readers.
 * @param {HTMLElement} cell
 * @param {number} value
 */
export function writeNumber(cell, value) {
  const [exact, shown] = [count(value), compact(value)];
  if (shown === exact) {
    write(cell, exact);
    return;
  }
  if (cell.textContent === shown + exact) return;
  const short = part(shown, "");
  short.title = exact;
  short.ariaHidden = "true";
  cell.replaceChildren(short, part(exact, "skip"));
}

/** Write how many of something that should not be, and mark it. */
export function alarm(cell, text, on) {
  write(cell, text);
  cell.className = on ? "alarm" : "";
}

function part(text, className) {
  const span = document.createElement("span");
  span.textContent = text;
  span.className = className;
  return span;
}

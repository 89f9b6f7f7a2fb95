// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** An engine's name in a cell or a link: in full where there is room, else cut in the middle. The title has it in full. */

import { split } from "./short_name.js";

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {number} common as `commonStart` returns it for all names that are shown; the name's length for the shortest end
 */
export function writeName(element, name, common) {
  if (element.named === name && element.common === common) return;
  element.named = name;
  element.common = common;
  element.title = name;
  const [start, end] = split(name, common);
  element.classList.toggle("long-name", Boolean(end));
  if (!end) {
    element.textContent = name;
    return;
  }
  element.replaceChildren(
    ...[start, end].map((text) => {
      const span = document.createElement("span");
      span.textContent = text;
      return span;
    }),
  );
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Fields with `data-state` keep their value in the page's address, under that name. */

import { readState, writeState } from "./address.js";

export function keepFields() {
  const fields = [...document.querySelectorAll("[data-state]:is(input, select)")];
  const write = ({ target }) => writeState({ [target.dataset.state]: target.value });
  for (const field of fields) {
    field.addEventListener(field.type === "search" ? "input" : "change", write);
    recall(field, readState(field.dataset.state));
  }
}

/** Set a field as the address says, and let the page's own script hear of it. */
function recall(field, value) {
  if (!value) return;
  if (field.type === "radio") {
    if (field.value !== value) return;
    field.checked = true;
  } else {
    field.value = value;
  }
  field.dispatchEvent(new Event(field.type === "search" ? "input" : "change", { bubbles: true }));
}

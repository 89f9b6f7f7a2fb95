// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The keys of all pages: `/`, `?`, `p`, `g` and a letter, arrows in tables. None of them acts while a field has the focus. */

const AFTER_G_MS = 1500;

/** Whether a key is for the element that has the focus. */
export function isForField(element) {
  return Boolean(element?.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]"));
}

/** The pages by their letter, from the navigation. */
const pages = () => new Map([...document.querySelectorAll(".top [data-key]")].map((link) => [link.dataset.key, link]));

let waits = false; // for the letter after `g`
let timer = 0;

function afterG(on) {
  waits = on;
  clearTimeout(timer);
  if (on) timer = setTimeout(() => afterG(false), AFTER_G_MS);
}

export function listenForKeys() {
  const dialog = document.getElementById("keys");
  list(document.getElementById("keys-pages"));
  document.getElementById("show-keys").addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (isForField(event.target) || dialog.open) return;
    if (press(event.key, dialog, event.target)) event.preventDefault();
  });
}

/** Do what a key is for. Returns whether it is for anything. */
function press(key, dialog, focused) {
  if (waits) {
    afterG(false);
    const link = pages().get(key.toLowerCase());
    link?.click();
    return Boolean(link);
  }
  switch (key) {
    case "/":
      document.getElementById("find").focus();
      return true;
    case "?":
      dialog.showModal();
      return true;
    case "g":
      afterG(true);
      return true;
    case "p":
      document.querySelector("#sign button, #resume")?.click();
      return true;
    case "ArrowDown":
    case "ArrowUp":
      return move(focused, key === "ArrowDown" ? "nextElementSibling" : "previousElementSibling");
  }
  return false;
}

/** Move the focus to the first link of the next row that has one. */
function move(focused, next) {
  let row = focused.closest?.("tbody tr")?.[next];
  while (row && !row.querySelector("a, button")) row = row[next];
  row?.querySelector("a, button").focus();
  return Boolean(row);
}

function list(element) {
  for (const [key, link] of pages()) {
    const line = document.createElement("div");
    const letters = document.createElement("dt");
    for (const each of ["g", key]) {
      const cap = document.createElement("kbd");
      cap.textContent = each;
      letters.append(cap, " ");
    }
    const name = document.createElement("dd");
    name.textContent = link.textContent;
    line.append(letters, name);
    element.append(line);
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Buttons with `data-copy` copy that text. Buttons that come later work too. */

const SHOWN_MS = 1500;

export function copyOnClick() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    const copied = await copy(button.dataset.copy);
    button.classList.toggle("copied", copied);
    document.getElementById("said").textContent = copied ? "Copied" : "The browser does not allow this page to copy";
    setTimeout(() => button.classList.remove("copied"), SHOWN_MS);
  });
}

/** The clipboard needs HTTPS or localhost. Over HTTP the older command still works. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "skip";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}

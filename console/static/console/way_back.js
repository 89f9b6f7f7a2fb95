// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Links to the admin that come back (`next`) come back to what this page shows then: its address changes with it. */

/** Bring a link's way back up to date when it is about to be followed. */
export function comeBack() {
  for (const kind of ["pointerdown", "focusin", "click"]) {
    document.addEventListener(
      kind,
      ({ target }) => {
        const link = target instanceof Element && target.closest("a[href*='next=']");
        if (link) link.href = backTo(link.href, location.pathname + location.search);
      },
      { capture: true },
    );
  }
}

/**
 * An address with another way back. Pure.
 * @param {string} href
 * @param {string} here
 */
export function backTo(href, here) {
  const address = new URL(href);
  if (address.searchParams.has("next")) address.searchParams.set("next", here);
  return address.href;
}

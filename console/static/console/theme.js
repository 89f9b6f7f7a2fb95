// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * The theme: as the system is, light or dark. A cookie keeps it, so that the server's first bytes have it already. The
 * admin reads its own from the browser's storage.
 */

const MEDIA = { "": "(prefers-color-scheme: dark)", light: "not all", dark: "all" };
const YEAR_SECONDS = 365 * 86_400;

export function chooseTheme() {
  document.getElementById("theme").addEventListener("change", (event) => {
    const theme = event.target.value;
    const seconds = theme ? YEAR_SECONDS : 0;
    document.cookie = `theme=${theme}; path=/; max-age=${seconds}; samesite=lax`;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    document.getElementById("dark").media = MEDIA[theme];
    try {
      localStorage.setItem("_x_adminTheme", JSON.stringify(theme || "auto"));
    } catch {
      // The browser keeps nothing for this site: the admin stays as it is.
    }
    document.dispatchEvent(new Event("theme"));
  });
}

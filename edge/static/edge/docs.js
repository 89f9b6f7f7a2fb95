/* SPDX-FileCopyrightText: 2026 Metadata Center contributors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Starts Swagger UI on this node's own document. It asks nobody else: no validator's badge, no other address.
 */
import { accessibleNames } from "./docs_names.js";

// The theme is what the reader chose on our pages, or else the system's.
const root = document.documentElement;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followTheme = () => root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
dark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-theme"] });
followTheme();

const place = document.getElementById("swagger-ui");
window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  defaultModelsExpandDepth: -1, // each call shows its own
  displayRequestDuration: true,
  plugins: [accessibleNames],
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});

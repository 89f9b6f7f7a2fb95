/* SPDX-FileCopyrightText: 2026 Metadata Center contributors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Starts Swagger UI on this node's own document. It asks nobody else: no validator's badge, no other address.
 */
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followScheme);
followScheme();

const place = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  displayRequestDuration: true,
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});

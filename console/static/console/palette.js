// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The stylesheet's colours, for what is drawn on a canvas; read anew when the page turns light or dark. */

import { rgb } from "./scale.js";

const RAMP = ["--load-0", "--load-1", "--load-2", "--load-3", "--load-4"];

export class Palette {
  /** @param {() => void} changed */
  constructor(changed) {
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const turned = () => {
      this.#read();
      changed();
    };
    scheme.addEventListener("change", turned);
    document.addEventListener("theme", turned);
    this.#read();
  }

  #read() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    this.ramp = RAMP.map((name) => rgb(of(name)));
    this.line = of("--line");
    this.text = of("--text");
    this.dim = of("--dim");
    this.panel = of("--panel");
    this.accent = of("--accent");
    this.soft = of("--accent-soft");
    this.warn = of("--warn");
    this.font = getComputedStyle(document.body).fontFamily;
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** Draws at most once each frame, however often it is asked to, and not at all while nobody looks. */
export class Frame {
  /** @param {() => void} draw */
  constructor(draw) {
    this.draw = draw;
    this.asked = false;
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The lists of engines to look at: the hottest, the idle, those with orphaned requests, the stale. */

import { writeName } from "./name.js";
import { count } from "./numbers.js";
import { write } from "./write.js";

const HOTTEST = 5;
const NAMED = 8;
const IDLE_NAMED = 4; // of whom nothing is wanted

const by = (id) => document.getElementById(id);

export class CallsOut {
  /**
   * @param {object} how
   * @param {(engine: object) => void} how.choose one of the hottest was clicked
   * @param {(engine: object) => string} how.address where an engine's requests are listed
   */
  constructor({ choose, address }) {
    this.choose = choose;
    this.address = address;
  }

  /**
   * @param {import("./snapshot.js").Snapshot} snapshot
   * @param {number} common what all names begin with
   */
  show({ engines, ranked }, common) {
    this.#hottest(by("hottest"), ranked.slice(0, HOTTEST), common);
    this.#idle(engines.filter((engine) => engine.requests === 0));
    for (const mark of ["orphaned", "stale"]) {
      const found = engines.filter((engine) => engine[mark]);
      this.#links(by(mark), by(`${mark}-count`), found, common);
      by(`${mark}-why`).hidden = found.length === 0;
    }
  }

  #hottest(element, hottest, common) {
    while (element.childElementCount < HOTTEST) {
      const item = element.appendChild(document.createElement("li"));
      const button = item.appendChild(document.createElement("button"));
      button.type = "button";
      button.className = "mono plain";
      button.addEventListener("click", () => button.engine && this.choose(button.engine));
      item.append(document.createElement("b"));
    }
    [...element.children].forEach((item, at) => {
      const engine = hottest[at];
      const [button, number] = item.children;
      item.hidden = !engine && at > 0;
      button.engine = engine;
      button.disabled = !engine;
      writeName(button, engine ? engine.name : "none", common);
      write(number, engine ? count(engine.requests) : "");
    });
  }

  #idle(found) {
    write(by("idle-count"), count(found.length));
    const more = found.length - IDLE_NAMED;
    const first = found.slice(0, IDLE_NAMED).map(({ name }) => name);
    write(by("idle"), first.join(", ") + (more > 0 ? ` and ${count(more)} more` : ""));
  }

  #links(element, number, found, common) {
    write(number, count(found.length));
    const shown = found.slice(0, NAMED);
    while (element.childElementCount < shown.length) element.append(document.createElement("a"), " ");
    [...element.children].forEach((link, at) => {
      link.hidden = at >= shown.length;
      if (link.hidden) return;
      writeName(link, shown[at].name, common);
      link.href = this.address(shown[at]);
    });
  }
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The attention strip of the overview, and the facts that come with it: asked for every two seconds. */

import { write } from "./write.js";

const EVERY_MS = 2000;
const ANSWER_MS = 5000;

export class Attention {
  /**
   * @param {HTMLElement} element the strip
   * @param {object} how
   * @param {() => boolean} how.held whether what is shown is to stay as it is
   * @param {(stale: Record<string, number>) => void} how.told stale engines by cluster, where there are any
   */
  constructor(element, { held, told }) {
    this.element = element;
    this.held = held;
    this.told = told;
    this.list = element.querySelector("ul");
    this.nothing = element.querySelector("p");
    this.#again();
  }

  async #again() {
    if (!document.hidden && !this.held()) await this.#ask();
    setTimeout(() => this.#again(), EVERY_MS);
  }

  async #ask() {
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch("/console/attention/", { headers, signal: AbortSignal.timeout(ANSWER_MS) });
      const { items, stale } = (await answer.json()).data;
      if (this.held()) return;
      this.#show(items);
      this.told(stale);
    } catch {
      // The sign says that the node is out of reach.
    }
  }

  #show(items) {
    const pressing = items.filter((item) => item.level !== "note").length;
    write(this.element.querySelector("b"), String(pressing));
    this.nothing.hidden = pressing > 0;
    this.list.hidden = items.length === 0;
    items.forEach((item, at) => {
      const line = this.list.children[at] ?? this.list.appendChild(emptyLine());
      line.className = item.level;
      line.dataset.key = item.key;
      write(line.firstChild, item.words);
      const links = line.lastChild;
      item.places.forEach(({ words, address }, place) => {
        const link = links.children[place] ?? links.appendChild(emptyLink());
        write(link.firstChild, words);
        if (link.getAttribute("href") !== address) link.href = address;
      });
      while (links.childElementCount > item.places.length) links.lastElementChild.remove();
    });
    while (this.list.childElementCount > items.length) this.list.lastElementChild.remove();
  }
}

function emptyLine() {
  const line = document.createElement("li");
  const links = document.createElement("span");
  links.className = "places";
  line.append(document.createElement("span"), links);
  return line;
}

function emptyLink() {
  const link = document.createElement("a");
  link.append(document.createElement("bdi"));
  return link;
}

// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What the server holds, row by row, kept equal by its messages. Pure.
 *
 * Messages are numbered: one that does not follow the last is not applied, and the caller starts anew.
 */
export class Mirror {
  /**
   * @param {string} list the member of a message that holds its rows
   * @param {(row: object) => string} name of a row
   */
  constructor(list, name) {
    this.list = list;
    this.name = name;
    /** @type {Map<string, object>} */
    this.rows = new Map();
    /** Members of the last message beside its rows. @type {object} */
    this.head = {};
    this.version = null;
  }

  /**
   * Take a message in.
   * @returns {"all"|"some"|"none"|"gap"} what changed: the set of rows, some of their numbers, nothing; or what came
   *   does not follow what was there
   */
  apply(message) {
    if (message.type === "snapshot") {
      this.rows = new Map(message[this.list].map((row) => [this.name(row), row]));
    } else if (this.version === null) {
      return "gap";
    } else if (message.type === "changes") {
      if (message.version !== this.version + 1) return "gap";
    } else if (message.type === "alive") {
      if (message.version !== this.version) return "gap";
    } else {
      return "none"; // a later server may say more
    }
    this.version = message.version;
    this.head = { ...this.head, ...message };
    if (message.type === "snapshot") return "all";
    if (message.type === "alive") return "none";
    const before = this.rows.size;
    let gone = false;
    for (const each of message.gone ?? []) gone = this.rows.delete(each) || gone;
    const left = gone ? this.rows.size : before;
    for (const row of message[this.list]) this.rows.set(this.name(row), row);
    return gone || this.rows.size !== left ? "all" : "some";
  }

  /** What comes next must be a snapshot. */
  forget() {
    this.version = null;
  }
}

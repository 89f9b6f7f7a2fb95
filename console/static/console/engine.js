// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What tells engines of a cluster apart, as docs/websocket.md writes it: an address, and where its row has them a port
 * and a data-parallel rank. Pure.
 *
 * @param {{ip: string, port?: number, dp_rank?: number}} row
 */
export function engineName({ ip, port, dp_rank: rank }) {
  if (port === undefined && rank === undefined) return ip;
  const host = ip.includes(":") ? `[${ip}]` : ip;
  return host + (port === undefined ? "" : `:${port}`) + (rank === undefined ? "" : `/${rank}`);
}

/**
 * What a person typed to find engines, in the form that rows have: an IPv6 address in its one spelling, and an IPv4
 * address inside IPv6 as IPv4. Any other text, such as a part of a name, in lower case. Pure.
 *
 * @param {string} typed
 */
export function asListed(typed) {
  const text = typed.trim().toLowerCase();
  const [, inside, behind] = /^\[(.*)\](.*)$/.exec(text) ?? [null, text, ""];
  if (!inside.includes(":")) return text;
  let address;
  try {
    address = new URL(`http://[${inside}]/`).hostname.slice(1, -1);
  } catch {
    return text;
  }
  const halves = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(address);
  if (halves) {
    const [high, low] = halves.slice(1).map((half) => parseInt(half, 16));
    address = [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return behind && !halves ? `[${address}]${behind}` : address + behind;
}

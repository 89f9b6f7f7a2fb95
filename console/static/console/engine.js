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

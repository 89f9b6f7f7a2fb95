// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/**
 * What a person has chosen on a page, kept in its address: the link that they copy shows the same view. The server
 * renders the same parameters.
 */

/** A parameter of the address; empty if it is not there. */
export const readState = (name) => new URLSearchParams(location.search).get(name) ?? "";

/**
 * Put parameters into the address, without an entry in the browser's history. An empty one is left out.
 * @param {Record<string, string>} values
 */
export function writeState(values) {
  const query = changed(location.search, values);
  history.replaceState(history.state, "", location.pathname + query + location.hash);
  for (const link of document.querySelectorAll(".downloads a")) {
    const { format } = Object.fromEntries(new URL(link.href).searchParams);
    link.href = location.pathname + changed(query, { format, page: "" });
  }
}

/**
 * A query string with other values. Pure.
 * @param {string} query
 * @param {Record<string, string>} values
 */
export function changed(query, values) {
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

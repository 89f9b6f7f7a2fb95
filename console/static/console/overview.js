// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The overview: all clusters, live. */

import { showEither, Live } from "./live.js";
import { Memory } from "./memory.js";
import { Mirror } from "./mirror.js";
import { count, imbalance, rate, some } from "./numbers.js";
import { Rate } from "./rate.js";
import { Series } from "./series.js";
import { draw, outline } from "./spark.js";
import { alarm, Table, write } from "./table.js";
import { Tiles } from "./tiles.js";

const WINDOW_MS = 5 * 60_000;
const SAMPLES = 150; // of each cluster, one in two seconds: 2.4 KB
const MOST_KEPT = 200; // clusters whose trend outlasts a visit to another page: 600 KB

const by = (id) => document.getElementById(id);
const mirror = new Mirror("clusters", (summary) => summary.cluster);
const tiles = new Tiles();
const totals = new Series(3, 300);
const totalRate = new Rate();
const omitted = by("omitted");

/** What is known of a cluster beyond the last message. @type {Map<string, object>} */
let clusters = new Map();
let perSecond = null;

const kept = new Memory(() => {
  const first = [...clusters.values()].slice(0, MOST_KEPT).map(({ name, series }) => [name, series.told()]);
  return { totals: totals.told(), clusters: Object.fromEntries(first) };
}).recall();
totals.recall(kept.totals, Date.now() - WINDOW_MS);

const table = new Table(by("clusters"), by("row"), {
  key: "name",
  by: "name",
  values: {
    name: (row) => row.name,
    engines: (row) => row.engines,
    requests: (row) => row.requests,
    prefill: (row) => row.prefill,
    prompt: (row) => row.prompt,
    tokens: (row) => row.tokens,
    orphaned: (row) => row.orphaned,
    rate: (row) => row.rate,
    imbalance: (row) => row.imbalance,
  },
  show(cells, row) {
    if (cells.name.textContent !== row.name) {
      cells.name.textContent = row.name;
      cells.name.title = row.name;
      cells.name.href = `/console/clusters/${encodeURIComponent(row.name)}/`;
    }
    write(cells.engines, count(row.engines));
    write(cells.requests, count(row.requests));
    write(cells.prefill, count(row.prefill));
    write(cells.prompt, count(row.prompt));
    write(cells.tokens, some(row.tokens));
    alarm(cells.orphaned, some(row.orphaned), row.orphaned > 0);
    write(cells.rate, rate(row.rate));
    write(cells.imbalance, imbalance(row.imbalance));
    if (row.drawn !== row.trend || cells.trend.drawn !== row.trend) {
      cells.trend.drawn = row.drawn = row.trend;
      draw(cells.trend.parentNode, row.trend);
    }
  },
  counted: (shown, all) => write(by("shown"), shown === all ? "" : `${count(shown)} of ${count(all)}`),
});

by("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  table.filter((row) => row.name.toLowerCase().includes(wanted));
});

function begun(name) {
  const series = new Series(1, SAMPLES);
  series.recall(kept.clusters?.[name], Date.now() - WINDOW_MS);
  return { name, rate: null, trend: outline(series), meter: new Rate(), series };
}

function placed() {
  const before = clusters;
  clusters = new Map();
  for (const name of mirror.rows.keys()) {
    clusters.set(name, before.get(name) ?? begun(name));
  }
  read();
  table.place([...clusters.values()]);
  for (const paging of document.querySelectorAll(".pages")) paging.hidden = true;
  showEither(clusters.size > 0, [by("full"), document.querySelector(".tools")], by("empty"));
  const more = mirror.head.omitted ?? 0;
  omitted.hidden = more === 0;
  write(omitted.firstElementChild, count(more));
}

function read() {
  for (const summary of mirror.rows.values()) {
    const row = clusters.get(summary.cluster);
    row.engines = summary.engines;
    row.requests = summary.queued_req_num;
    row.prompt = summary.prompt_length;
    row.prefill = summary.prefill_req_num ?? 0; // these three are left out where there are none
    row.tokens = summary.token_num ?? 0;
    row.orphaned = summary.orphaned_req_num ?? 0;
    row.imbalance = row.requests ? (summary.max_queued_req_num * row.engines) / row.requests : null;
  }
}

function sums() {
  const sum = { requests: 0, prefill: 0, prompt: 0, tokens: 0, orphaned: 0, engines: 0, added: 0 };
  for (const summary of mirror.rows.values()) {
    sum.requests += summary.queued_req_num;
    sum.prompt += summary.prompt_length;
    sum.prefill += summary.prefill_req_num ?? 0;
    sum.tokens += summary.token_num ?? 0;
    sum.orphaned += summary.orphaned_req_num ?? 0;
    sum.engines += summary.engines;
    sum.added += summary.added_total;
  }
  return sum;
}

function changed() {
  read();
  const sum = sums();
  tiles.show({
    requests: count(sum.requests),
    prompt: count(sum.prompt),
    tokens: some(sum.tokens),
    orphaned: count(sum.orphaned),
    engines: count(sum.engines),
    clusters: count(clusters.size + (mirror.head.omitted ?? 0)),
  });
  write(by("prefill"), count(sum.prefill));
  tiles.alarm("orphaned", sum.orphaned > 0);
  table.draw();
}

let odd = false;

function sample(now) {
  const sum = sums();
  perSecond = totalRate.at(now, sum.added);
  if (perSecond !== null) totals.push(now, sum.requests, perSecond, sum.prompt);
  odd = !odd;
  for (const [name, row] of clusters) {
    const summary = mirror.rows.get(name);
    if (!summary) continue; // paused, and gone since
    row.rate = row.meter.at(now, summary.added_total);
    if (odd) {
      row.series.push(now, summary.queued_req_num);
      row.trend = null; // drawn when it is in sight
    }
  }
  if (live.held) return;
  for (const row of clusters.values()) if (row.trend === null) row.trend = outline(row.series);
  tiles.show({ rate: rate(perSecond) });
  ["requests", "rate", "prompt"].forEach((name, which) => tiles.trend(name, totals, which));
  table.draw();
}

const live = new Live("/ws/load/", mirror, { placed, changed, sample });

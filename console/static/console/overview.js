// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** The overview: all clusters, live. */

import { Attention } from "./attention.js";
import { showEither, Live } from "./live.js";
import { Memory } from "./memory.js";
import { Mirror } from "./mirror.js";
import { count, imbalance, rate, some } from "./numbers.js";
import { Past } from "./past.js";
import { Rate } from "./rate.js";
import { Series } from "./series.js";
import { writeName } from "./name.js";
import { NoMatch } from "./no_match.js";
import { showCells, showTiles, signalsOf, sortKeys, Sums, take } from "./signals.js";
import { draw, outline } from "./spark.js";
import { Table } from "./table.js";
import { alarm, write } from "./write.js";
import { Tiles } from "./tiles.js";

const WINDOW_MS = 5 * 60_000;
const SAMPLES = 150; // of each cluster, one in two seconds: 2.4 KB
const MOST_KEPT = 200; // clusters whose trend outlasts a visit to another page: 600 KB

const by = (id) => document.getElementById(id);
const signals = signalsOf(by("clusters"));
const mirror = new Mirror("clusters", (summary) => summary.cluster);
const tiles = new Tiles();
const totals = new Series(3, 300);
const totalRate = new Rate();
const omitted = by("omitted");

const pageOf = ({ name }) => `/console/clusters/${encodeURIComponent(name)}/`;

/** The last minutes of the clusters that the server has drawn, as samples. @type {Map<string, number[][]>} */
const drawn = new Map();
const stepMs = Number(by("clusters").dataset.stepMs);
for (const row of by("clusters").tBodies[0].rows) {
  const numbers = row.querySelector("[data-trend]").dataset.trend.split(",");
  const end = Date.now() - Number(by("clusters").dataset.ageMs);
  const samples = numbers.map((number, at) => [end - (numbers.length - 1 - at) * stepMs, Number(number)]);
  drawn.set(row.cells[0].textContent, samples.filter((_, at) => numbers[at] !== ""));
}

/** What is known of a cluster beyond the last message. @type {Map<string, object>} */
let clusters = new Map();
let perSecond = null;
/** Stale engines by cluster, where there are any: they come with the attention strip. @type {Record<string, number>} */
let stale = {};

const kept = new Memory(() => {
  const first = [...clusters.values()].slice(0, MOST_KEPT).map(({ name, series }) => [name, series.told()]);
  return { totals: totals.told(), clusters: Object.fromEntries(first) };
}).recall();
totals.recall(kept.totals, Date.now() - WINDOW_MS);

const table = new Table(by("clusters"), by("row"), {
  key: "name",
  by: "requests",
  values: {
    name: (row) => row.name,
    engines: (row) => row.engines,
    ...sortKeys(signals),
    rate: (row) => row.rate,
    imbalance: (row) => row.imbalance,
    stale: (row) => row.stale,
    hottest: (row) => row.most,
  },
  show(cells, row) {
    if (cells.name.textContent !== row.name) {
      cells.name.textContent = row.name;
      cells.name.title = row.name;
      cells.name.href = pageOf(row);
    }
    write(cells.engines, count(row.engines));
    showCells(signals, cells, row);
    write(cells.rate, rate(row.rate));
    write(cells.imbalance, imbalance(row.imbalance));
    alarm(cells.stale, some(row.stale), row.stale > 0);
    hottest(cells.hottest, row);
    if (row.drawn !== row.trend || cells.trend.drawn !== row.trend) {
      cells.trend.drawn = row.drawn = row.trend;
      draw(cells.trend.parentNode, row.trend);
    }
  },
  counted(shown, all) {
    write(by("shown"), shown === all ? "" : `${count(shown)} of ${count(all)}`);
    noMatch.show(shown === 0 && all > 0, by("filter").value);
  },
});
const noMatch = new NoMatch(by("no-match"), by("full"), () => {
  by("filter").value = "";
  filter();
});

function filter() {
  const wanted = by("filter").value.trim().toLowerCase();
  table.filter((row) => row.name.toLowerCase().includes(wanted));
}

by("filter").addEventListener("input", filter);

/** The busiest engine, with a link to it on its cluster's page. */
function hottest(link, row) {
  writeName(link, row.hottest || "–", row.hottest.length);
  if (row.hottest) link.href = `${pageOf(row)}?filter=${encodeURIComponent(row.hottest)}`;
  else link.removeAttribute("href");
}

function begun(name) {
  const series = new Series(1, SAMPLES);
  series.recall(kept.clusters?.[name], Date.now() - WINDOW_MS);
  series.weave(drawn.get(name) ?? [], stepMs);
  return { name, rate: null, trend: outline(series), meter: new Rate(), series };
}

function placed() {
  const before = clusters;
  clusters = new Map();
  for (const name of mirror.rows.keys()) {
    clusters.set(name, before.get(name) ?? begun(name));
  }
  read();
  showEither(clusters.size > 0, [by("full"), document.querySelector(".tools")], by("empty"));
  table.place([...clusters.values()]);
  for (const paging of document.querySelectorAll(".pages")) paging.hidden = true;
  const more = mirror.head.omitted ?? 0;
  omitted.hidden = more === 0;
  write(omitted.firstElementChild, count(more));
}

function read() {
  for (const summary of mirror.rows.values()) {
    const row = clusters.get(summary.cluster);
    row.engines = summary.engines;
    take(signals, summary, row);
    row.hottest = summary.hottest ?? "";
    row.most = summary.max_queued_req_num;
    row.stale = stale[summary.cluster] ?? 0;
    row.imbalance = row.requests ? (summary.max_queued_req_num * row.engines) / row.requests : null;
  }
}

function sums() {
  const sum = new Sums(signals);
  let [engines, added] = [0, 0];
  for (const summary of mirror.rows.values()) {
    sum.add(summary);
    engines += summary.engines;
    added += summary.added_total;
  }
  return { total: sum.total, engines, added };
}

function changed() {
  read();
  const { total, engines } = sums();
  showTiles(signals, tiles, total);
  tiles.show({ engines, clusters: clusters.size + (mirror.head.omitted ?? 0) });
  write(by("prefill"), count(total.prefill));
  table.draw();
}

let odd = false;

function sample(now) {
  const { total, added } = sums();
  perSecond = totalRate.at(now, added);
  if (perSecond !== null) totals.push(now, total.requests, perSecond, total.prompt);
  past.look();
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
  if (odd) table.calm();
  table.draw();
}

const past = new Past("", {
  take(samples, spacing) {
    const since = live.now() - WINDOW_MS;
    const recent = samples.filter(({ time, values }) => time >= since && !Number.isNaN(values.starts_per_second));
    totals.weave(
      recent.map(({ time, values }) => [time, values.queued_req_num, values.starts_per_second, values.prompt_length]),
      spacing,
    );
  },
});

const live = new Live("/ws/load/", mirror, { placed, changed, sample });

new Attention(by("attention"), {
  held: () => live.held,
  told(found) {
    stale = found;
    for (const row of clusters.values()) row.stale = stale[row.name] ?? 0;
    table.draw();
  },
});

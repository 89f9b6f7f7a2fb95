// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** A cluster's page: its engines, live. */

import { CallsOut } from "./calls_out.js";
import { Chart } from "./chart.js";
import { asListed, engineName } from "./engine.js";
import { Field } from "./field.js";
import { showEither, Live } from "./live.js";
import { Marks } from "./marks.js";
import { Memory } from "./memory.js";
import { Mirror } from "./mirror.js";
import { writeName } from "./name.js";
import { NoMatch } from "./no_match.js";
import { age, brief, count, decimal, imbalance, rate } from "./numbers.js";
import { Palette } from "./palette.js";
import { Past } from "./past.js";
import { Range } from "./range.js";
import { Rate } from "./rate.js";
import { blend, shade } from "./scale.js";
import { Series } from "./series.js";
import { commonStart, shortened } from "./short_name.js";
import { showCells, showTiles, signalsOf, sortKeys, Sums } from "./signals.js";
import { Snapshot } from "./snapshot.js";
import { Table } from "./table.js";
import { write } from "./write.js";
import { Tiles } from "./tiles.js";

/** What the table may be narrowed to. */
const KINDS = {
  "": () => true,
  busy: (engine) => engine.requests > 0,
  idle: (engine) => engine.requests === 0,
  stale: (engine) => engine.stale,
  orphaned: (engine) => engine.orphaned > 0,
};

const by = (id) => document.getElementById(id);
const { name: cluster, socket, requests, drop, staleSeconds } = by("cluster").dataset;
const signals = signalsOf(by("engines"));
const mirror = new Mirror("engines", engineName);
const tiles = new Tiles();
const meter = new Rate();
const SPACING_MS = 1000; // of what the page itself samples
const series = new Series(7, 1200); // total, max, mean, min, rate, prefill, spacing
const palette = new Palette(() => {
  legend();
  field.draw();
  drawAll();
});

/** What the page shows. */
const snapshot = new Snapshot(signals, Number(staleSeconds));
let common = 0; // what all names begin with

const field = new Field(by("field"), {
  palette,
  tell: (engine) => [
    engine.name,
    `${count(engine.requests)} request${engine.requests === 1 ? "" : "s"}` + (engine.prefill ? `, ${count(engine.prefill)} in prefill` : ""),
    `prompt ${count(engine.prompt)}`,
    ...(engine.tokens ? [`${count(engine.tokens)} tokens`] : []),
    ...(engine.orphaned ? [`${count(engine.orphaned)} orphaned`] : []),
    engine.seconds < 1 ? "updated now" : `updated ${age(engine.seconds)} ago`,
    ...(engine.stale ? ["stale"] : []),
  ],
  choose: (engine) => table.reveal(engine),
  shorten: (name, most) => shortened(name, common, most),
  say: (words) => write(by("field-words"), words),
  scaled: (top) => write(by("scale-top"), brief(top)),
});

const drawAll = () => charts.forEach((chart) => chart.draw());
const range = new Range(by("range"), (minutes) => {
  past.reach(minutes > 15);
  drawAll();
});
const marks = new Marks(cluster, drawAll);
const charted = { palette, series, marks, span: () => range.ms };
const charts = [
  new Chart(by("total"), by("total-values"), {
    ...charted,
    lines: [
      { name: "total", which: 0, colour: "accent", filled: true, show: count },
      { name: "in prefill", which: 5, colour: "warn", show: count },
    ],
  }),
  new Chart(by("spread"), by("spread-values"), {
    ...charted,
    band: [1, 3],
    lines: [
      { name: "max", which: 1, colour: "warn", show: count },
      { name: "mean", which: 2, colour: "accent", show: decimal },
      { name: "min", which: 3, colour: "dim", thin: true, show: count },
    ],
  }),
  new Chart(by("rate"), by("rate-values"), {
    ...charted,
    lines: [{ name: "rate", which: 4, colour: "accent", filled: true, show: decimal }],
  }),
];

const table = new Table(by("engines"), by("row"), {
  key: "name",
  by: "requests",
  values: {
    name: (engine) => engine.name,
    ...sortKeys(signals),
    age: (engine) => -engine.updated,
  },
  show(cells, engine) {
    writeName(cells.name, engine.name, common);
    const address = requestsOf(engine);
    if (cells.name.getAttribute("href") !== address) {
      cells.name.href = address;
      if (cells.drop) {
        cells.drop.href = drop + encodeURIComponent(engine.name);
        cells.drop.ariaLabel = `Drop ${engine.name}`;
      }
    }
    showCells(signals, cells, engine, snapshot.sums.most);
    write(cells.age, age(engine.seconds));
    const mark = markOf(engine);
    if (cells.mark.className !== mark) cells.mark.textContent = cells.mark.className = mark;
  },
  counted(shown, all) {
    write(by("shown"), shown === all ? "" : `${count(shown)} of ${count(all)}`);
    noMatch.show(shown === 0 && all > 0, [by("filter").value.trim(), by("only").value].filter(Boolean).join(", "));
  },
});
const noMatch = new NoMatch(by("no-match"), by("rows"), () => {
  by("filter").value = by("only").value = "";
  filter();
});

/** An engine's page, which lists its requests. */
const requestsOf = ({ name }) => requests + encodeURIComponent(name);

/** What is to be said of an engine, the most pressing first. */
function markOf({ stale, orphaned, hottest, requests }) {
  if (orphaned) return "orphaned"; // which says more than that nothing is heard of them
  if (stale) return "stale";
  return hottest ? "hottest" : requests ? "" : "idle";
}

const callsOut = new CallsOut({ choose: (engine) => table.reveal(engine), address: requestsOf });

function placed() {
  snapshot.place(mirror.rows.keys());
  snapshot.read(mirror.rows, live.now());
  snapshot.rank();
  const { engines } = snapshot;
  common = commonStart(engines.map(({ name }) => name));
  showEither(engines.length > 0, [by("full")], by("empty"));
  for (const paging of document.querySelectorAll(".pages")) paging.hidden = true;
  field.place(engines);
  table.place(engines);
  by("field-cut").hidden = field.cut <= 0;
  write(by("field-cut"), `the first ${count(engines.length - field.cut)} of ${count(engines.length)}`);
}

/** Some numbers changed: all that shows them is drawn from one snapshot, in one frame. */
function changed() {
  snapshot.read(mirror.rows, live.now());
  show();
}

function show() {
  const { sums, engines } = snapshot;
  showTiles(signals, tiles, sums.total);
  tiles.show({ engines: engines.length, imbalance: imbalance(snapshot.imbalance) });
  callsOut.show(snapshot, common);
  field.draw();
  table.draw();
}

/** Once a second: the charts, and the order of lists and table, so that rows do not change places all the time. */
function sample(now) {
  const sums = new Sums(signals);
  for (const row of mirror.rows.values()) sums.add(row);
  const { total, most, least, rows } = sums;
  const perSecond = meter.at(now, mirror.head.added_total);
  const mean = rows ? total.requests / rows : 0;
  const { requests, prefill } = total;
  if (perSecond !== null) series.push(now, requests, most.requests, mean, least.requests, perSecond, prefill, SPACING_MS);
  past.look();
  marks.look();
  if (live.held) return;
  tiles.show({ rate: rate(perSecond) });
  snapshot.read(mirror.rows, now);
  snapshot.rank();
  show();
  table.calm();
  drawAll();
}

function legend() {
  const canvas = by("scale");
  const pen = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    pen.fillStyle = `rgb(${blend(palette.ramp, shade(x, canvas.width - 1))})`;
    pen.fillRect(x, 0, 1, canvas.height);
  }
}

function filter() {
  const wanted = asListed(by("filter").value);
  const only = by("only").value;
  const passes = (engine) => engine.name.toLowerCase().includes(wanted) && KINDS[only](engine);
  table.filter(passes);
  field.dimmed = wanted || only ? (engine) => !passes(engine) : () => false;
  field.draw();
}

by("filter").addEventListener("input", filter);
by("only").addEventListener("change", filter);
by("measure").addEventListener("change", (event) => field.by(event.target.value));
legend();

const asked = new URLSearchParams(location.search);
by("filter").value = asked.get("filter") ?? "";
by("only").value = Object.hasOwn(KINDS, asked.get("only")) ? asked.get("only") : "";
filter();

const memory = new Memory(() => ({ series: series.told() }));
series.recall(memory.recall().series, Date.now() - 5 * 60_000);

const past = new Past(`cluster=${encodeURIComponent(cluster)}`, {
  take(samples, spacing) {
    const rows = samples.map(({ time, values }) => [
      time,
      values.queued_req_num,
      values.max_queued_req_num,
      values.engines ? values.queued_req_num / values.engines : 0,
      values.min_queued_req_num,
      values.starts_per_second,
      values.prefill_req_num,
      spacing,
    ]);
    series.weave(rows, spacing);
    if (!live.held) drawAll();
  },
});
if (range.minutes > 15) past.ranges = ["15m", "1h"];

const live = new Live(socket, mirror, { placed, changed, sample });

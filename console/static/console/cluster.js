// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** A cluster's page: its engines, live. */

import { Chart } from "./chart.js";
import { asListed, engineName } from "./engine.js";
import { Field } from "./field.js";
import { showEither, Live } from "./live.js";
import { Memory } from "./memory.js";
import { Mirror } from "./mirror.js";
import { age, brief, count, decimal, imbalance, rate } from "./numbers.js";
import { byName } from "./order.js";
import { Palette } from "./palette.js";
import { Rate } from "./rate.js";
import { blend, shade } from "./scale.js";
import { Series } from "./series.js";
import { showCells, showTiles, signalsOf, sortKeys, Sums, take } from "./signals.js";
import { Table, write } from "./table.js";
import { Tiles } from "./tiles.js";

const HOTTEST = 5;
const NAMED = 8;
const IDLE_NAMED = 4; // of whom nothing is wanted
/** What the table may be narrowed to. */
const KINDS = {
  "": () => true,
  busy: (engine) => engine.requests > 0,
  idle: (engine) => engine.requests === 0,
  stale: (engine) => engine.stale,
  orphaned: (engine) => engine.orphaned > 0,
};

const by = (id) => document.getElementById(id);
const { socket, requests, staleSeconds } = by("cluster").dataset;
const signals = signalsOf(by("engines"));
const mirror = new Mirror("engines", engineName);
const tiles = new Tiles();
const meter = new Rate();
const series = new Series(6, 360); // total, max, mean, min, rate, prefill
const palette = new Palette(() => {
  legend();
  field.draw();
  for (const chart of charts) chart.draw();
});

/**
 * The engines, with each signal by its key.
 * @type {{name: string, updated: number, seconds: number, stale: boolean, hottest: boolean}[]}
 */
let engines = [];
let sum = new Sums(signals);
let least = 0; // requests of the idlest engine

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
  say: (words) => write(by("field-words"), words),
  scaled: (top) => write(by("scale-top"), brief(top)),
});

const charts = [
  new Chart(by("total"), by("total-values"), {
    palette,
    series,
    lines: [
      { name: "total", which: 0, colour: "accent", filled: true, show: count },
      { name: "in prefill", which: 5, colour: "warn", show: count },
    ],
  }),
  new Chart(by("spread"), by("spread-values"), {
    palette,
    series,
    band: [1, 3],
    lines: [
      { name: "max", which: 1, colour: "warn", show: count },
      { name: "mean", which: 2, colour: "accent", show: decimal },
      { name: "min", which: 3, colour: "dim", thin: true, show: count },
    ],
  }),
  new Chart(by("rate"), by("rate-values"), {
    palette,
    series,
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
    if (cells.name.textContent !== engine.name) {
      cells.name.textContent = engine.name;
      cells.name.href = requestsOf(engine);
    }
    showCells(signals, cells, engine, sum.most);
    write(cells.age, age(engine.seconds));
    const mark = markOf(engine);
    if (cells.mark.className !== mark) cells.mark.textContent = cells.mark.className = mark;
  },
  counted: (shown, all) => write(by("shown"), shown === all ? "" : `${count(shown)} of ${count(all)}`),
});

/** An engine's page, which lists its requests. */
const requestsOf = ({ name }) => requests + encodeURIComponent(name);

/** What is to be said of an engine, the most pressing first. */
function markOf({ stale, orphaned, hottest, requests }) {
  if (orphaned) return "orphaned"; // which says more than that nothing is heard of them
  if (stale) return "stale";
  return hottest ? "hottest" : requests ? "" : "idle";
}

function placed() {
  const before = new Map(engines.map((engine) => [engine.name, engine]));
  engines = [...mirror.rows.keys()].sort(byName).map((name) => before.get(name) ?? { name, hottest: false });
  read();
  showEither(engines.length > 0, [by("full")], by("empty"));
  for (const paging of document.querySelectorAll(".pages")) paging.hidden = true;
  field.place(engines);
  table.place(engines);
  by("field-cut").hidden = field.cut <= 0;
  write(by("field-cut"), `the first ${count(engines.length - field.cut)} of ${count(engines.length)}`);
}

function read() {
  const now = live.now();
  sum = new Sums(signals);
  least = engines.length ? Infinity : 0;
  for (const engine of engines) {
    const row = mirror.rows.get(engine.name);
    if (!row) continue;
    take(signals, row, engine);
    engine.updated = row.updated_time / 1e6;
    engine.seconds = Math.max(0, (now - engine.updated) / 1000);
    engine.stale = engine.requests > 0 && engine.seconds >= Number(staleSeconds);
    sum.add(row);
    least = Math.min(least, engine.requests);
  }
}

function changed() {
  read();
  showTiles(signals, tiles, sum.total);
  tiles.show({
    engines: count(engines.length),
    imbalance: imbalance(sum.total.requests ? (sum.most.requests * engines.length) / sum.total.requests : null),
  });
  field.draw();
  table.draw();
}

/** Once a second: what is to be calm. */
function sample(now) {
  read();
  const perSecond = meter.at(now, mirror.head.added_total);
  const mean = engines.length ? sum.total.requests / engines.length : 0;
  const { requests, prefill } = sum.total;
  if (perSecond !== null) series.push(now, requests, sum.most.requests, mean, least, perSecond, prefill);
  if (live.held) return;
  tiles.show({ rate: rate(perSecond) });
  callOut();
  field.draw();
  table.draw();
  for (const chart of charts) chart.draw();
}

function callOut() {
  const hottest = engines
    .filter((engine) => engine.requests > 0)
    .sort((one, other) => other.requests - one.requests || other.prompt - one.prompt || byName(one.name, other.name))
    .slice(0, HOTTEST);
  for (const engine of engines) engine.hottest = false;
  if (sum.most.requests > least) hottest[0].hottest = true;
  list(by("hottest"), hottest);
  names(by("idle"), by("idle-count"), engines.filter((engine) => engine.requests === 0));
  for (const mark of ["orphaned", "stale"]) {
    const found = engines.filter((engine) => engine[mark]);
    links(by(mark), by(`${mark}-count`), found);
    by(`${mark}-why`).hidden = found.length === 0;
  }
}

function list(element, hottest) {
  while (element.childElementCount < HOTTEST) {
    const item = element.appendChild(document.createElement("li"));
    const button = item.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "mono plain";
    button.addEventListener("click", () => button.engine && table.reveal(button.engine));
    item.append(document.createElement("b"));
  }
  [...element.children].forEach((item, at) => {
    const engine = hottest[at];
    item.hidden = !engine && at > 0;
    item.firstChild.engine = engine;
    item.firstChild.disabled = !engine;
    write(item.firstChild, engine ? engine.name : "none");
    write(item.lastChild, engine ? count(engine.requests) : "");
  });
}

function names(element, number, found) {
  write(number, count(found.length));
  const more = found.length - IDLE_NAMED;
  const first = found.slice(0, IDLE_NAMED).map(({ name }) => name);
  write(element, first.join(", ") + (more > 0 ? ` and ${count(more)} more` : ""));
}

function links(element, number, found) {
  write(number, count(found.length));
  const shown = found.slice(0, NAMED);
  while (element.childElementCount < shown.length) element.append(document.createElement("a"), " ");
  [...element.children].forEach((link, at) => {
    link.hidden = at >= shown.length;
    if (link.hidden) return;
    write(link, shown[at].name);
    link.href = requestsOf(shown[at]);
  });
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

const memory = new Memory(() => ({ series: series.told() }));
series.recall(memory.recall().series, Date.now() - 5 * 60_000);

const live = new Live(socket, mirror, { placed, changed, sample });

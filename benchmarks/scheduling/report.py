# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of SCHEDULING.md. The text around them is written by hand; each table has its place between markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from benchmarks.scheduling import studies
from benchmarks.scheduling.run import Figures
from benchmarks.scheduling.scenario import SCENARIOS
from benchmarks.scheduling.statistics import Estimate, Ratio, rate_at
from benchmarks.scheduling.studies import Extent
from benchmarks.scheduling.study import Results, Setting
from benchmarks.section import table

_TABLE = re.compile(r"<!-- begin (\S+) -->\n.*?<!-- end \1 -->", re.DOTALL)
Value = Callable[[Figures], float]
HEAD = (
    *("arm", "TTFT p50, s", "p90", "p99", "end to end p50, s", "p90", "p99"),
    *("cached", "fullest / mean", "herd"),
)
DEFAULT = {"chat": studies.BASE, "code": "pick:score"}
"""What others are compared with: the product as it comes, with prompts to look up and without."""


def p99(figures: Figures) -> float:
    """Return the first token's p99."""
    return figures.ttft[2]


def p90(figures: Figures) -> float:
    """Return the first token's p90."""
    return figures.ttft[1]


def document(before: str, sections: Mapping[str, str], measured: str) -> str:
    """Return the document with fresh tables in their places. What is between no markers stays."""
    fresh = {**sections, "measured": f"*{measured}*"}

    def renewed(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- begin {name} -->\n\n{fresh[name]}\n\n<!-- end {name} -->" if name in fresh else found[0]

    return _TABLE.sub(renewed, before)


def sections(results: Results, extent: Extent) -> dict[str, str]:
    """Return all tables by the names of their places."""
    made: dict[str, str] = {}
    for trace in ("chat", "code"):
        busy = extent.setting(trace)
        arms, rates = studies.WAYS[trace], studies.RATES[trace]
        base = DEFAULT[trace]
        made[f"ways-{trace}"] = _all_figures(results, busy, arms, extent.seeds, base)
        settings = {f"{rate:g}": extent.setting(trace, rate=rate) for rate in rates}
        made[f"rates-{trace}"] = by_setting(results, settings, arms, extent.seeds, p99, "TTFT p99 at a rate of", base)
        made[f"limit-{trace}"] = _at_limit(results, extent, trace)
        lagged = [(arm, [arm + lag for lag in studies.LAGS]) for arm in studies.LAGGED[trace]]
        made[f"lag-{trace}"] = _lags(results, busy, lagged, extent.seeds)
    sizes = {f"{size} engines": extent.setting("chat", size) for size in studies.SIZES}
    made["sizes"] = by_setting(results, sizes, studies.SIZED, extent.seeds, p99, "TTFT p99", studies.BASE)
    made["sizes-p90"] = by_setting(results, sizes, studies.SIZED, extent.seeds, p90, "TTFT p90", studies.BASE)
    made["sizes-hits"] = by_setting(
        results,
        sizes,
        studies.SIZED,
        extent.seeds,
        lambda each: 100 * each.hits,
        "cached, %",
        digits=1,
    )
    many = extent.setting("chat", studies.FEW_BEST_ENGINES)
    for lag in studies.LAGS:
        few = [arm + lag for arm in studies.FEW_BEST]
        made[f"few-best{lag.replace('@', '-')}"] = _against(results, many, few, extent.seeds)
    gateways = {f"{count}": extent.setting("code", gateways=count) for count in studies.GATEWAYS}
    made["gateways"] = by_setting(
        results, gateways, studies.BY_GATEWAYS, extent.seeds, p99, "TTFT p99, gateways:", "pick:least_load"
    )
    for rate in studies.POLICY_RATES:
        made[f"policies-{rate:g}"] = _against(
            results, extent.setting("chat", rate=rate), studies.POLICIES, extent.seeds
        )
        made[f"tokens-{rate:g}"] = _against(results, extent.setting("chat", rate=rate), studies.BY_TOKENS, extent.seeds)
    for scenario, arms in studies.ODD.items():
        made[scenario] = _odd(results, extent.odd(scenario), arms, extent.seeds)
    made["sessions"] = _against(results, extent.setting("chat"), studies.SESSIONS, extent.seeds)
    gaps = {
        f"{engines} engines, {engines * rate:.0f}/s": extent.setting("code", engines, rate)
        for engines, rate in studies.GAP_SETTINGS
    }
    made["gaps"] = by_setting(results, gaps, studies.GAPS, extent.seeds, p99, "TTFT p99", "pick:least_load")
    made["gaps-herd"] = by_setting(
        results, gaps, studies.GAPS, extent.seeds, lambda each: 100 * (each.herd or 0.0), "herd, %", digits=0
    )
    made["life"] = _all_figures(results, extent.life(), studies.LIFE, extent.seeds, studies.BASE)
    return made


def by_setting(
    results: Results,
    settings: Mapping[str, Setting],
    arms: Sequence[str],
    seeds: Sequence[int],
    value: Value,
    what: str,
    base: str = "",
    digits: int = 2,
) -> str:
    """Return a table of one figure: arms down, settings across. With a base, the others are compared with it."""

    def cell(arm: str, setting: Setting) -> str:
        values = [value(each) for each in results.of(setting, arm, seeds)]
        if arm == base or not base:
            return Estimate.of(values).show(digits)
        return Ratio.of(values, [value(each) for each in results.of(setting, base, seeds)]).show()

    rows = [(f"`{arm}`", *(cell(arm, setting) for setting in settings.values())) for arm in arms]
    return table((what, *settings), rows)


def judged(results: Results, setting: Setting, arms: Sequence[str], seeds: Sequence[int]) -> str:
    """Return the tables of arms that were judged alone, against the first."""
    return "\n\n".join((_all_figures(results, setting, arms, seeds, arms[0]), _against(results, setting, arms, seeds)))


def _all_figures(results: Results, setting: Setting, arms: Sequence[str], seeds: Sequence[int], base: str) -> str:
    """Return a table of all figures of some arms, and of the first token's p99 against one of them."""
    compared = [p99(each) for each in results.of(setting, base, seeds)]
    rows = []
    for arm in arms:
        found = results.of(setting, arm, seeds)
        herd = [100 * each.herd for each in found if each.herd is not None]
        rows.append(
            (
                f"`{arm}`",
                *(Estimate.of([each.ttft[place] for each in found]).show() for place in range(3)),
                "" if arm == base else Ratio.of([p99(each) for each in found], compared).show(),
                *(Estimate.of([each.e2e[place] for each in found]).show(1) for place in range(3)),
                f"{Estimate.of([100 * each.hits for each in found]).show(1)} %",
                Estimate.of([each.imbalance for each in found]).show(),
                f"{Estimate.of(herd).mean:.0f} %" if herd else "",
            )
        )
    return table((*HEAD[:4], f"p99 against `{base}`", *HEAD[4:]), rows)


def _against(results: Results, setting: Setting, arms: Sequence[str], seeds: Sequence[int]) -> str:
    """Return a table of arms against the first: seed by seed."""
    values: tuple[Value, ...] = (
        lambda each: each.mean_ttft,
        p90,
        p99,
        lambda each: each.e2e[0],
        lambda each: each.e2e[2],
    )
    base = results.of(setting, arms[0], seeds)
    rows = []
    for arm in arms:
        found = results.of(setting, arm, seeds)
        cells = [
            Estimate.of([value(each) for each in found]).show()
            if arm == arms[0]
            else Ratio.of([value(each) for each in found], [value(each) for each in base]).show()
            for value in values
        ]
        hits, preempted = ([each.hits for each in found], [each.preempted for each in found])
        rows.append((f"`{arm}`", *cells, f"{100 * Estimate.of(hits).mean:.1f} %", f"{Estimate.of(preempted).mean:.0f}"))
    head = (
        "arm",
        "TTFT mean",
        "TTFT p90",
        "TTFT p99",
        "end to end p50",
        "end to end p99",
        "cached",
        "preempted / 1,000",
    )
    return table(head, rows)


def _odd(results: Results, setting: Setting, arms: Sequence[str], seeds: Sequence[int]) -> str:
    """Return a table of a fleet that is odd: the first token, where requests went and how many failed."""
    compared = [p99(each) for each in results.of(setting, arms[0], seeds)]
    watched = SCENARIOS[setting.scenario].watched
    head = ["arm", "TTFT p50, s", "p90", "p99", f"p99 against `{arms[0]}`", "failed / 1,000"]
    if watched:
        head.append(f"of {watched} to the odd one")
    rows = []
    for arm in arms:
        found = results.of(setting, arm, seeds)
        cells = [
            f"`{arm}`",
            *(Estimate.of([each.ttft[place] for each in found]).show() for place in range(3)),
            "" if arm == arms[0] else Ratio.of([p99(each) for each in found], compared).show(),
            Estimate.of([each.failed for each in found]).show(1),
        ]
        if watched:
            cells.append(Estimate.of([float(each.odd) for each in found]).show(1))
        rows.append(cells)
    return table(head, rows)


def _at_limit(results: Results, extent: Extent, trace: str) -> str:
    """Return how much each arm carries with nine of ten first tokens within the limit."""
    limit, rates = studies.LIMITS[trace], studies.RATES[trace]
    rows: list[tuple[float, tuple[str, str]]] = []
    for arm in studies.WAYS[trace]:
        reached = []
        for place in range(len(extent.seeds)):
            p90s = [results.of(extent.setting(trace, rate=rate), arm, extent.seeds)[place].ttft[1] for rate in rates]
            reached.append(rate_at(limit, rates, p90s))
        estimate = Estimate.of(reached)
        text = estimate.show()
        if max(reached) == 0:
            text = f"less than {rates[0]:g}"
        elif min(reached) == rates[-1]:
            text = f"more than {rates[-1]:g}"
        rows.append((estimate.mean, (f"`{arm}`", text)))
    rows.sort(key=lambda row: -row[0])
    return table(("arm", f"requests/s and engine with TTFT p90 ≤ {limit:g} s"), [row for _, row in rows])


def _lags(results: Results, setting: Setting, lagged: Sequence[tuple[str, list[str]]], seeds: Sequence[int]) -> str:
    """Return what lag between three nodes costs: p99 on one node, and by how much it is longer on three."""
    rows = []
    for arm, names in lagged:
        one = [p99(each) for each in results.of(setting, names[0], seeds)]
        three = [Ratio.of([p99(each) for each in results.of(setting, name, seeds)], one).show() for name in names[1:]]
        herds = [Estimate.of([100 * (each.herd or 0.0) for each in results.of(setting, name, seeds)]) for name in names]
        rows.append((f"`{arm}`", Estimate.of(one).show(), *three, " / ".join(f"{each.mean:.0f}" for each in herds)))
    head = ("arm", "TTFT p99 on one node, s", "three, as measured", "three, 5 ms", "three, 100 ms", "herd, %")
    return table(head, rows)

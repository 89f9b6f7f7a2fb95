# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ways of choosing: each does what its name says, on the product's own ledger and index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest

from benchmarks.scheduling import report, studies
from benchmarks.scheduling.arms import UnknownArm, arm, lag
from benchmarks.scheduling.counted import Counted
from benchmarks.scheduling.fleet import least
from benchmarks.scheduling.profiles import LLAMA_70B_TP4
from benchmarks.scheduling.run import Figures, Run
from benchmarks.scheduling.studies import FULL, SHORT, Extent
from benchmarks.scheduling.study import Case, Results, Setting
from benchmarks.scheduling.traces import made_like
from benchmarks.scheduling.workload import Workload
from loadstats.pick.policies import POLICIES

chat = cache(partial(made_like, "chat"))  # made when the first test needs it


def made(name: str, engines: int = 8, requests: int = 200, rate: float = 8.0) -> Run:
    """Return a run of an arm."""
    workload = Workload(chat(), engines, rate, requests, 8, 1)
    return Run(LLAMA_70B_TP4, engines, 8, workload.requests(), arm(name), 1)


def test_every_arm_of_every_study_is_known() -> None:
    for case in {*SHORT.cases(), *FULL.cases()}:
        arm(case.arm)


@pytest.mark.parametrize("name", ["", "pick:", "pick:no_such", "trial:no_such", "random+index", "wait:1", "a b"])
def test_an_unknown_arm_is_refused(name: str) -> None:
    with pytest.raises(UnknownArm):
        made(name)


@pytest.mark.parametrize(
    "name",
    [
        *("random", "round_robin", "poll:1", "own_counts", "oracle", "read_add:0.01", "compare_add"),
        *(f"pick:{policy}+index" for policy in POLICIES),
        *("pick:score+index,share=0,request_load=0.3,index_blocks=2590", "trial:requests_times_prefill+index"),
        *(
            "pick:score+index@mesh",
            "trial:requests_times_prefill+index@100ms",
            "read_add:0.0003@5ms",
            "compare_add@5ms",
        ),
    ],
)
def test_every_way_serves_every_request_and_ends_with_nothing_in_flight(name: str) -> None:
    run = made(name)
    run.figures()
    assert all(each.place >= 0 and each.arrival < each.sent < each.first <= each.end for each in run.requests)
    assert all(engine.load == 0 and engine.idle and engine.pool.used == 0 for engine in run.fleet.engines)
    assert sum(run.fleet.given) == len(run.requests) == sum(run.fleet.came)
    if isinstance(run.way, Counted):
        for node in run.way.nodes:
            requests, prompts = node.rows()
            assert sum(requests) == sum(prompts) == 0
            assert node.seen == run.fleet.given


def test_the_same_seed_gives_the_same_run() -> None:
    figures = [made("pick:score+index@mesh").figures() for _ in range(2)]
    assert len({(each.ttft, each.e2e, each.hits, each.imbalance, each.herd) for each in figures}) == 1


def test_one_node_that_picks_knows_all_before_and_never_herds() -> None:
    assert made("pick:least_load").figures().herd == 0
    assert made("compare_add").figures().herd == 0
    assert made("random").figures().herd is None


def test_the_later_news_comes_the_more_is_decided_without_it() -> None:
    herds = {
        name: made(name, rate=40.0).figures().herd or 0.0
        for name in ("read_add:0.0003", "read_add:0.1", "poll:0.05", "poll:1", "poll:10")
    }
    assert herds["read_add:0.0003"] < 0.05 < herds["read_add:0.1"]
    assert herds["poll:0.05"] < herds["poll:1"] < herds["poll:10"]
    assert herds["poll:10"] > 0.8


def test_three_nodes_herd_by_their_lag() -> None:
    herds = [made(f"pick:least_load{nodes}", rate=40.0).figures().herd or 0.0 for nodes in ("", "@mesh", "@100ms")]
    assert herds == sorted(herds)
    assert herds[2] > 2 * herds[1]


def test_the_mesh_lags_as_it_was_measured() -> None:
    measured = lag("mesh", Random(1).gauss)
    sample = sorted(measured() for _ in range(20_000))
    assert sample[10_000] == pytest.approx(0.00385, rel=0.03)
    assert sample[19_800] == pytest.approx(0.00874, rel=0.05)
    assert lag("100ms", Random(1).gauss)() == 0.1


def test_the_index_brings_hits_and_with_them_earlier_first_tokens() -> None:
    plain, indexed = (made(name, requests=600).figures() for name in ("pick:score", "pick:score+index"))
    assert indexed.hits > plain.hits + 0.05
    assert indexed.mean_ttft < plain.mean_ttft


def test_counting_is_better_than_not_knowing() -> None:
    means = [made(name, requests=600).figures().mean_ttft for name in ("oracle", "pick:least_load", "round_robin")]
    assert means == sorted(means)


def test_of_several_that_are_least_each_has_its_chance() -> None:
    assert least([3, 1, 2], lambda: 0.0) == 1
    assert [least([1, 2, 1], lambda: 0.0), least([1, 2, 1], lambda: 0.6)] == [0, 2]
    assert least([1, 1, 1], lambda: 0.0, [3, 2, 2]) == 1


def test_the_report_has_a_table_for_each_place_of_the_document() -> None:
    """With figures that are made up: it is the tables' form that is tested."""
    figures = Figures((0.1, 0.2, 0.3), (1, 2, 3), 0.15, (1, 1, 1), 0.3, 1.1, 0.5, 0, 0.9, 16, 100, 1.0)

    class Same(Results):
        def __init__(self) -> None:
            pass

        def of(self, setting: Setting, arm: str, seeds: Sequence[int]) -> list[Figures]:
            asked.add((setting, arm))
            return [figures] * len(seeds)

    asked: set[tuple[Setting, str]] = set()
    tables = report.sections(Same(), SHORT)
    assert asked == {(case.setting, case.arm) for case in SHORT.cases()}  # nothing is run in vain, nothing is missing
    document = Path(studies.__file__).parents[1] / "SCHEDULING.md"
    places = set(re.findall(r"<!-- begin (\S+) -->", document.read_text()))
    assert places == {*tables, "measured"}


def test_fresh_tables_take_their_places_and_the_text_stays() -> None:
    before = (
        "Words.\n\n<!-- begin a -->\nold\n<!-- end a -->\n\nMore.\n<!-- begin other -->\nkept\n<!-- end other -->\n"
    )
    after = report.document(before, {"a": "| new |"}, "today")
    assert "old" not in after
    assert after.startswith("Words.\n\n<!-- begin a -->\n\n| new |\n\n<!-- end a -->\n\nMore.")
    assert "kept" in after
    assert report.document(after, {"a": "| new |"}, "today") == after


def test_runs_are_kept_and_not_made_again(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    extent = Extent(seeds=(1,), each={"chat": 4, "code": 4}, large={})
    cases = [Case(extent.setting("code"), 1, name) for name in ("random", "round_robin", "random")]
    first = list(Results(file).fill(cases, 1))
    assert [each.case.arm for each in first] == ["random", "round_robin"]
    again = Results(file)
    assert list(again.fill(cases, 1)) == []
    assert again.of(extent.setting("code"), "random", (1,)) == [first[0].figures]
    assert again.requests(cases[:2]) == 128

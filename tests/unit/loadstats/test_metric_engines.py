# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A scrape is bounded: a bounded number of engines have samples of their own, and always the same ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry, generate_latest

from loadstats.ledger import Ledger, Row
from loadstats.ledger.cause import FAILED
from loadstats.metric_engines import OTHER, MetricEngines
from loadstats.metrics import LoadCollector


def row(number: int, load: int) -> Row:
    return Row(ip=f"10.0.{number // 256}.{number % 256}", queued_req_num=load, prompt_length=0, updated_time=1)


def shown(engines: MetricEngines, loads: dict[str, list[int]]) -> set[tuple[str, str]]:
    found = engines.choose({name: [row(*each) for each in enumerate(some)] for name, some in loads.items()})
    return {(name, each.ip) for name, rows in found.items() for each in rows.own}


def test_all_engines_are_shown_while_there_is_room() -> None:
    assert len(shown(MetricEngines(4), {"a": [0, 0], "b": [0, 0]})) == 4


def test_the_most_loaded_are_shown_and_the_rest_of_their_cluster_is_summed() -> None:
    found = MetricEngines(2).choose({"a": [row(0, 1), row(1, 5), row(2, 2)], "b": [row(0, 1)], OTHER: [row(0, 9)]})
    assert [each.ip for each in found["a"].own] == ["10.0.0.1"]
    assert sum(each.queued_req_num for each in found["a"].rest) == 3
    assert sum(each.queued_req_num for each in found[OTHER].rest) == 10, "a cluster of this name is among the others"
    assert "b" not in found


def test_what_is_shown_stays_while_loads_go_up_and_down() -> None:
    engines = MetricEngines(2)
    first = shown(engines, {"a": [5, 5, 4, 4]})
    for step in range(20):
        assert shown(engines, {"a": [4, 5, 5, 4] if step % 2 else [5, 1, 4, 4]}) == first
    for _ in range(20):
        last = shown(engines, {"a": [1, 0, 9, 9]})
    assert last == {("a", "10.0.0.2"), ("a", "10.0.0.3")}


def test_an_engine_with_requests_is_shown_though_idle_ones_were_first() -> None:
    engines = MetricEngines(2)
    assert shown(engines, {"flood": [0] * 50})
    assert ("real", "10.0.0.0") in shown(engines, {"flood": [0] * 50, "real": [1]})


def test_a_scrape_is_bounded_and_its_sums_are_whole() -> None:
    ledger = Ledger()
    for number in range(300):
        ledger.add(f"r{number}", f"c{number % 40}" + "\U0001f600" * 200, f"10.0.0.{number % 256}", 1, 0.0, 1)
    registry = CollectorRegistry()
    cache: Any = SimpleNamespace(ledger=ledger)
    registry.register(cast("Any", LoadCollector(cache, 10)))
    text = generate_latest(registry).decode()
    lines = [line for line in text.splitlines() if line.startswith("metadata_center_engine_queued_requests{")]
    assert len(lines) <= 2 * 10 + 1
    assert sum(float(line.rpartition(" ")[2]) for line in lines) == 300
    assert len({line.rpartition(" ")[0] for line in lines}) == len(lines), "a sample came twice"
    assert len(text) < 200_000


def test_engines_with_requests_and_no_news_of_them_are_stale() -> None:
    ledger = Ledger()
    for number, updated_ns in enumerate((1, 90 * 10**9, 99 * 10**9)):
        ledger.add(f"r{number}", "c", f"10.0.0.{number}", 1, 0.0, updated_ns)
    cache: Any = SimpleNamespace(ledger=ledger)
    collector = LoadCollector(cache, stale_seconds=10, wall_ns=lambda: 100 * 10**9)
    found = {family.name: [sample.value for sample in family.samples] for family in collector.collect()}
    assert found["metadata_center_cluster_stale_engines"] == [2]
    ledger.done("r0", 1.0, 99 * 10**9)
    found = {family.name: [sample.value for sample in family.samples] for family in collector.collect()}
    assert found["metadata_center_cluster_stale_engines"] == [1]


def test_engines_that_picks_leave_out_are_counted_also_in_clusters_that_are_summed_up() -> None:
    ledger, now = Ledger(), 100.0
    for cluster in ("a", "b", "c"):
        for number in range(3):
            ledger.add(f"{cluster}{number}", cluster, f"10.0.0.{number}", 1, 0.0, 1)
    for failed in ("a0", "a1", "b0"):
        ledger.done(failed, now, 1, FAILED)

    def resting(most: int, cool_down_seconds: float = 1.0, at: float = now) -> dict[str, float]:
        cache: Any = SimpleNamespace(ledger=ledger)
        collector = LoadCollector(cache, most, cool_down_seconds=cool_down_seconds, now=lambda: at)
        (family,) = [each for each in collector.collect() if each.name == "metadata_center_cluster_resting_engines"]
        return {sample.labels["cluster"]: sample.value for sample in family.samples}

    assert resting(100) == {"a": 2, "b": 1, "c": 0}
    assert sum(resting(1).values()) == 3
    assert len(resting(1)) <= 2
    assert resting(100, at=now + 1.9) == {"a": 2, "b": 1, "c": 0}
    assert resting(100, at=now + 2.0) == {"a": 0, "b": 0, "c": 0}
    assert resting(100, cool_down_seconds=0.0) == {"a": 0, "b": 0, "c": 0}

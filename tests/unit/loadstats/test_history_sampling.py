# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the history keeps of a ledger, against what the ledger says at each step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import isnan
from random import Random
from typing import Any

import pytest
from msgspec import ValidationError, structs
from msgspec.msgpack import decode, encode

from loadstats.history import History, HistoryCopies, Sampling
from loadstats.history import history as bounds
from loadstats.history.columns import CLUSTER_COLUMNS
from loadstats.history.copies import HistoryPage, SeriesCopy
from loadstats.history.series import STEP_SECONDS, STEPS
from loadstats.ledger import SIGNALS, Ledger

STALE_SECONDS = 150


class Past:
    """A ledger, its history, and the time."""

    def __init__(self, time: float = 5_000.0) -> None:
        self.time = time
        self.ledger = Ledger(request_seconds=600)
        self.history = History(lambda: self.time, self.wall_ns)
        self.sampling = Sampling(self.ledger, self.history, STALE_SECONDS)
        self.ids = count()
        self.slices = 0

    def wall_ns(self) -> int:
        return int((1_700_000_000 + self.time) * 1e9)

    def add(self, cluster: str = "c", engine: str = "10.0.0.1", prompt_length: int = 100) -> str:
        request_id = f"r{next(self.ids)}"
        self.ledger.add(request_id, cluster, engine, prompt_length, self.time, self.wall_ns(), "")
        return request_id

    def done(self, request_id: str) -> None:
        self.ledger.done(request_id, self.time, self.wall_ns())

    def step(self, steps: int = 1) -> None:
        """Go on to the next step and sample it."""
        for _ in range(steps):
            self.time += STEP_SECONDS
            for _ in self.sampling.sample(self.history.step(), self.wall_ns()):
                self.slices += 1

    def last(self, cluster: str | None = "c", engine: str | None = None) -> dict[str, float]:
        piece = self.history.total_of(minutes=False) if cluster is None else self.history.steps_of(cluster, engine)
        return {name: numbers[-1] for name, numbers in piece.series.items()}

    def known(self, cluster: str, engine: str | None = None) -> list[float]:
        numbers = self.history.steps_of(cluster, engine).series["queued_req_num"]
        return [each for each in numbers if not isnan(each)]


@pytest.fixture
def past() -> Past:
    return Past()


def test_each_step_has_what_the_ledger_says_then(past: Past) -> None:
    random = Random(7)
    live: list[str] = []
    engines = [f"10.0.0.{number}" for number in range(4)]
    seen: list[dict[str, float]] = []
    starts, ends = 0, 0
    past.step()
    for _ in range(40):
        before_starts, before_ends = starts, ends
        for _ in range(random.randrange(6)):
            live.append(past.add("c", random.choice(engines), random.randrange(1000)))
            starts += 1
        for _ in range(random.randrange(6)):
            if live:
                past.done(live.pop(random.randrange(len(live))))
                ends += 1
        past.step()
        rows = past.ledger.loads.rows("c")
        expected: dict[str, float] = {name: sum(getattr(row, name) for row in rows) for name in SIGNALS}
        expected |= {
            "engines": len(rows),
            "stale_engines": sum(
                1 for row in rows if row.queued_req_num and past.wall_ns() - row.updated_time >= STALE_SECONDS * 1e9
            ),
            "starts_per_second": (starts - before_starts) / STEP_SECONDS,
            "ends_per_second": (ends - before_ends) / STEP_SECONDS,
            "max_queued_req_num": max((row.queued_req_num for row in rows), default=0),
            "min_queued_req_num": min((row.queued_req_num for row in rows), default=0),
        }
        seen.append(expected)
        if rows:
            assert past.last() == pytest.approx(expected)
            assert past.last(None) == pytest.approx(expected)
    piece = past.history.steps_of("c")
    for name in SIGNALS:
        assert piece.series[name][-20:] == [each[name] for each in seen[-20:]]
    for row in past.ledger.loads.rows("c"):
        assert past.last("c", row.engine) == {name: getattr(row, name) for name in SIGNALS}


def test_a_cluster_that_does_not_change_keeps_its_row_and_has_no_starts(past: Past) -> None:
    past.step()
    past.add()
    past.step()
    assert past.last()["starts_per_second"] == 0.1
    past.step(3)
    assert past.known("c") == [1, 1, 1, 1] == past.known("c", "10.0.0.1")
    assert past.last()["starts_per_second"] == past.last()["ends_per_second"] == 0


def test_an_engine_becomes_stale_without_any_change(past: Past) -> None:
    past.add()
    past.step(STALE_SECONDS // STEP_SECONDS - 1)
    assert past.last()["stale_engines"] == 0
    past.step()
    assert past.last()["stale_engines"] == 1


def test_what_a_peers_copy_brings_is_no_start(past: Past) -> None:
    past.step()
    past.history.settled = lambda: False
    past.add()
    past.step()
    assert isnan(past.last()["starts_per_second"])
    past.history.settled = lambda: True
    past.add()
    past.step()
    assert past.last()["starts_per_second"] == 0.1


def test_all_together_are_the_sums_and_the_extremes(past: Past) -> None:
    past.add("a", "10.0.0.1")
    for _ in range(5):
        past.add("b", "10.0.0.2")
    past.step()
    total = past.last(None)
    assert (total["queued_req_num"], total["engines"]) == (6, 2)
    assert (total["max_queued_req_num"], total["min_queued_req_num"]) == (5, 1)
    joined = past.history.joined(["a", "unknown", "b"], minutes=False)
    assert {name: numbers[-1] for name, numbers in _end(joined).series.items()} == pytest.approx(total, nan_ok=True)
    some = _end(past.history.joined(["a"], minutes=False))
    assert some.series["queued_req_num"][-1] == 1


def test_the_busiest_engines_are_kept_and_the_lightest_gives_way(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ENGINES_IN_ALL", 2)
    for number in range(3):
        for _ in range(number + 1):
            past.add("c", f"10.0.0.{number}")
    past.step()
    assert set(past.history.clusters["c"].engines) == {"10.0.0.1", "10.0.0.2"}
    for _ in range(9):
        past.add("c", "10.0.0.0")
    past.step()
    assert set(past.history.clusters["c"].engines) == {"10.0.0.0", "10.0.0.2"}
    assert past.known("c", "10.0.0.1") == []


def test_a_second_cluster_takes_its_share_of_the_engines(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ENGINES_IN_ALL", 4)
    for number in range(4):
        past.add("c", f"10.0.0.{number}")
    past.step()
    assert len(past.history.clusters["c"].engines) == 4
    past.add("d")
    past.step()
    assert len(past.history.clusters["c"].engines) == 2


def test_clusters_are_bounded_and_one_without_engines_gives_way(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_CLUSTERS", 2)
    for name in ("a", "b", "c"):
        past.add(name)
    past.step()
    assert list(past.history.clusters) == ["a", "b"]
    past.ledger.drop("a", "10.0.0.1")
    past.step(2)
    assert list(past.history.clusters) == ["b", "c"]


def test_a_cluster_without_engines_is_remembered_for_an_hour(past: Past) -> None:
    past.add()
    past.step()
    past.ledger.drop("c", "10.0.0.1")
    past.step(359)
    assert "c" in past.history.clusters
    past.step(2)
    assert past.history.clusters == {}


def test_steps_that_were_missed_are_unknown_and_the_last_number_is_the_latest(past: Past) -> None:
    past.add()
    past.step()
    past.time += 3 * STEP_SECONDS
    past.step()
    numbers = past.history.steps_of("c").series["queued_req_num"]
    assert len(numbers) == STEPS
    assert [None if isnan(each) else each for each in numbers[-6:]] == [None, 1, None, None, None, 1]
    past.time += 4
    assert past.history.steps_of("c").end_ns == past.wall_ns() - 4 * 10**9
    past.time += 10 * STEP_SECONDS  # the node hangs: time goes on
    assert isnan(past.last()["queued_req_num"])


def test_large_clusters_are_read_in_slices(past: Past) -> None:
    for number in range(2000):
        past.add("c", f"10.0.{number // 250}.{number % 250}")
    past.step()
    assert past.slices >= 2000 // 256
    assert past.last()["engines"] == 2000


# Copies


def copied(source: Past, target: Past, older_ms: int = 0) -> None:
    for page in HistoryCopies(source.history).pages():
        _end(HistoryCopies(target.history).merge(page, older_ms))


def test_a_copy_brings_everything_to_where_it_belongs_on_another_clock(past: Past) -> None:
    for number in range(9):
        past.add(f"cluster {number}", f"10.0.0.{number}")
    past.step(100)
    other = Past(time=333.0)  # of a machine that was started after the first of these
    other.time += 7
    copied(past, other, older_ms=30_000)
    ours, theirs = past.history.steps_of("cluster 3"), other.history.steps_of("cluster 3")
    assert theirs.series["queued_req_num"][-2:] == pytest.approx([float("nan")] * 2, nan_ok=True)  # while it was away
    assert theirs.series["queued_req_num"][-60:-2] == ours.series["queued_req_num"][-58:]
    assert other.known("cluster 3", "10.0.0.3")[-5:] == [1] * 5
    assert len([each for each in other.history.minutes_of("cluster 8").series["engines"] if each == 1]) >= 15
    assert other.history.total_of(minutes=False).series["queued_req_num"][-3] == 9


def test_a_copy_takes_the_place_of_nothing_that_is_known(past: Past) -> None:
    other = Past(past.time)
    past.add()
    past.step(3)
    for _ in range(5):
        other.add()
    other.time = past.time - STEP_SECONDS
    other.step()
    copied(past, other)
    assert other.known("c") == [1, 1, 5]


@pytest.mark.parametrize(
    "series",
    [
        SeriesCopy("c", "", b"\x00" * 3, b""),
        SeriesCopy("c", "", b"\x00" * 4 * len(CLUSTER_COLUMNS) * (STEPS + 1), b""),
        SeriesCopy("c", "", b"\xff" * 4 * len(CLUSTER_COLUMNS), b"\xff" * 4 * len(CLUSTER_COLUMNS)),
        SeriesCopy("c", "", b"", b""),
    ],
)
def test_odd_rows_are_passed_over(past: Past, series: SeriesCopy) -> None:
    names = [column.name for column in CLUSTER_COLUMNS]
    _end(HistoryCopies(past.history).merge(encode(HistoryPage(names, names, 0, 0, [series]))))
    assert past.known("c") == []


def test_a_copy_of_a_peer_with_other_columns_brings_those_that_both_know(past: Past) -> None:
    past.add()
    past.step()
    (page,) = list(HistoryCopies(past.history).pages())[:1]
    found = decode(page, type=HistoryPage)
    names = ["later" if name == "engines" else name for name in found.cluster_columns]
    other = Past(past.time)
    _end(HistoryCopies(other.history).merge(encode(structs.replace(found, cluster_columns=names))))
    assert other.last()["queued_req_num"] == 1
    assert isnan(other.last()["engines"])


def test_ages_of_a_peer_are_bounded(past: Past) -> None:
    past.add()
    past.step()
    (page,) = list(HistoryCopies(past.history).pages())[:1]
    found = structs.replace(decode(page, type=HistoryPage), step_age_ms=2**62, minute_age_ms=2**62)
    other = Past(past.time)
    _end(HistoryCopies(other.history).merge(encode(found)))
    assert other.known("c") == []
    other.add()
    other.step()
    assert other.known("c") == [1]


@pytest.mark.parametrize("body", [b"", b"\xc0", encode([["a"], ["a"], -1, 0, []]), encode([[], [], 0, 0, [["c"]]])])
def test_what_is_no_page_is_refused(past: Past, body: bytes) -> None:
    with pytest.raises((ValidationError, ValueError)):
        _end(HistoryCopies(past.history).merge(body))


def _end(steps: Iterator[None]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value

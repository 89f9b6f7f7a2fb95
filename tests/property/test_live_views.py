# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whoever applies to a snapshot every change since has what the ledger answers, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable, Generator
from operator import itemgetter
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from loadstats.ledger import EngineName, Ledger
from loadstats.ledger.cluster_snapshot import cluster_snapshot
from loadstats.live import cluster_view, summary_view
from loadstats.live.cluster_view import ClusterView
from loadstats.live.summary_view import SummaryView
from loadstats.live.view import View
from tests.property import EXAMPLES

NAMES = ("a", 'b/"ü"', "c")
WINDOW = 20
IDS = st.sampled_from([f"r{number}" for number in range(12)])
CLUSTERS = st.sampled_from(NAMES)
IPS = st.sampled_from([*(f"10.0.0.{number}" for number in range(4)), "10.0.0.1:80", "10.0.0.1:80/2", "::1", "[::1]:80"])

Rows = dict[str, dict[str, Any]]


def walk(steps: Generator[None, None, bytes | None], meanwhile: Callable[[], object] = lambda: None) -> bytes | None:
    """Take the steps; `meanwhile` is done between two of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: bytes | None = end.value
            return found
        meanwhile()


def engine_of(row: dict[str, Any]) -> str:
    return str(EngineName(row["ip"], row.get("port"), row.get("dp_rank")))


class Watcher:
    """A client that has had a view's first snapshot and every change since."""

    def __init__(self, view: View, rows: str, name: Callable[[dict[str, Any]], str]) -> None:
        self._view, self._rows, self._name = view, rows, name
        walk(view.look())
        self.known = self.snapshot()

    def _named(self, said: dict[str, Any]) -> Rows:
        named = {self._name(row): row for row in said[self._rows]}
        assert len(named) == len(said[self._rows]), "each once"
        return named

    def snapshot(self) -> Rows:
        return self._named(msgspec.json.decode(b"{%b}" % self._view.snapshot()))

    def look(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        body = walk(self._view.look(), meanwhile)
        if body is None:
            return
        said = msgspec.json.decode(b"{%b}" % body)
        for name in said["gone"]:
            del self.known[name]
        rows = self._named(said)
        assert rows or said["gone"]
        assert rows.keys().isdisjoint(said["gone"])
        self.known.update(rows)


class Replay(RuleBasedStateMachine):
    """`PART` and `MOST` are so small that a look at a few engines takes several steps."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(request_seconds=WINDOW, tombstone_seconds=5)
        self.now = 0
        self.clusters = {name: Watcher(ClusterView(self.ledger, name, "n"), "engines", engine_of) for name in NAMES}
        self.summary = Watcher(SummaryView(self.ledger, "n"), "clusters", itemgetter("cluster"))

    @rule(request_id=IDS, cluster=CLUSTERS, ip=IPS, length=st.integers(0, 9))
    def add(self, request_id: str, cluster: str, ip: str, length: int) -> None:
        self.ledger.add(request_id, cluster, ip, length, self.now, self.now)

    @rule(request_id=IDS)
    def first_token(self, request_id: str) -> None:
        self.ledger.first_token(request_id, self.now, self.now)

    @rule(request_id=IDS, output_tokens=st.integers(0, 9))
    def tokens(self, request_id: str, output_tokens: int) -> None:
        self.ledger.tokens(request_id, 0, output_tokens, self.now, self.now)

    @rule(request_id=IDS)
    def done(self, request_id: str) -> None:
        self.ledger.done(request_id, self.now, self.now)

    @rule(seconds=st.integers(1, WINDOW + 6))
    def expire(self, seconds: int) -> None:
        self.now += seconds
        while self.ledger.expire(self.now, self.now):
            pass

    @rule(cluster=CLUSTERS)
    def query(self, cluster: str) -> None:
        """A gateway's query encodes what changed before a watcher has seen it."""
        self.ledger.loads.answer(cluster)

    @rule(cluster=CLUSTERS, moves=st.lists(st.tuples(IDS, CLUSTERS, IPS, st.sampled_from("atdeq")), max_size=8))
    def look_while_things_change(self, cluster: str, moves: list[tuple[str, str, str, str]]) -> None:
        def move() -> None:
            if not moves:
                return
            request_id, name, ip, what = moves.pop()
            match what:
                case "a":
                    self.add(request_id, name, ip, 3)
                case "t":
                    self.first_token(request_id)
                case "d":
                    self.done(request_id)
                case "e":
                    self.expire(WINDOW + 6)
                case "q":
                    self.query(name)

        for watcher in (self.clusters[cluster], self.summary):
            watcher.look(move)
            assert watcher.known == watcher.snapshot()
        self.look_at_a_cluster(cluster)
        self.look_at_the_summary()

    @rule(cluster=CLUSTERS)
    def look_at_a_cluster(self, cluster: str) -> None:
        watcher = self.clusters[cluster]
        watcher.look()
        rows = msgspec.json.decode(self.ledger.loads.answer(cluster)) or []
        assert watcher.known == watcher.snapshot() == {engine_of(row): row for row in rows}

    @rule()
    def look_at_the_summary(self) -> None:
        for _ in NAMES:  # a look may end early; the next one goes on
            self.summary.look()
            assert self.summary.known == self.summary.snapshot()
        added = {name: row.pop("added_total") for name, row in self.summary.snapshot().items()}
        assert all(added.values())
        sums = {}
        for name in self.ledger.clusters():
            rows = self.ledger.rows(name)
            queued, prompts = [row.queued_req_num for row in rows], [row.prompt_length for row in rows]
            sums[name] = {
                "cluster": name,
                "engines": len(rows),
                "queued_req_num": sum(queued),
                "prompt_length": sum(prompts),
                "max_queued_req_num": max(queued),
                "max_prompt_length": max(prompts),
                "added_total": added[name],
            }
            for member in ("prefill_req_num", "token_num", "orphaned_req_num"):
                if number := sum(getattr(row, member) for row in rows):
                    sums[name][member] = number
            hottest = max(rows, key=lambda row: (row.queued_req_num, row.prompt_length))
            if hottest.queued_req_num:
                sums[name]["hottest"] = hottest.engine
        assert self.summary.known == sums


class TestReplay(Replay.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=50 * EXAMPLES, stateful_step_count=40, deadline=None)

    def runTest(self) -> None:
        with (
            patch.dict(cluster_snapshot.__globals__, COPIED=2, SLICE=2),
            patch.object(cluster_view, "PART", 2),
            patch.object(summary_view, "PART", 2),
            patch.object(summary_view, "MOST", 3),
        ):
            super().runTest()

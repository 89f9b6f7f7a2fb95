# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the ledger into the history, a step at a time, in slices. Pure; used on the event loop.

A cluster that did not change is not read: its last row is written again.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator
from heapq import nlargest
from math import inf, nan
from operator import attrgetter
from typing import Final

from loadstats.history.columns import CLUSTER_COLUMNS, RATES
from loadstats.history.history import History
from loadstats.history.joined import JOINS
from loadstats.history.kept import DECAY, KeptCluster
from loadstats.history.series import PER_MINUTE, STEP_SECONDS
from loadstats.ledger import ClusterSnapshot, Engine, Ledger, SignalSums
from loadstats.ledger.signals import numbers

PART: Final = 256  # engines added up in one go: 0.2 ms

SLICE_WORK: Final = 24  # units of about 10 µs each

_requests = attrgetter("queued_req_num")
_RATES = [at for at, column in enumerate(CLUSTER_COLUMNS) if column.name in RATES]


class Sampling:
    """Samples one ledger.

    `stale_seconds`: an engine with requests is stale if its row did not change for so long.
    """

    def __init__(self, ledger: Ledger, history: History, stale_seconds: float) -> None:
        self._ledger = ledger
        self._history = history
        self._stale_ns = int(stale_seconds * 1e9)
        self._looked: int | None = None  # the last step that was sampled

    def sample(self, step: int, wall_ns: int) -> Generator[None, None, None]:
        """Keep a step that is later than all others. Each `yield` ends a slice."""
        history = self._history
        rows: list[array[float]] = []
        work = 0
        most = SLICE_WORK if step % PER_MINUTE else SLICE_WORK // 4  # minutes are closed too
        names = self._ledger.clusters()
        history.listed = len(names)
        for name in names:
            kept = history.open(name)
            if kept is None:
                continue
            work += yield from self._look(name, kept, step, wall_ns)
            if kept.seen is not None:
                rows.append(kept.series.steps.row(step))
            if work >= most:
                work = 0
                yield
        yield
        listed = set(self._ledger.clusters())
        for name, kept in history.clusters.items():
            if name not in listed:
                kept.seen = None
        yield
        history.forget_old(step)
        yield
        history.trim()
        yield
        total = array("f")
        for at, column in enumerate(CLUSTER_COLUMNS):
            known = [number for row in rows if (number := row[at]) == number]  # 60 µs of 1,000 clusters
            total.append(JOINS[column.join](known) if known else nan)
            if at % 2:
                yield
        history.total.put(step, total)
        history.latest, self._looked = step, step

    def _look(self, name: str, kept: KeptCluster, step: int, wall_ns: int) -> Generator[None, None, int]:
        """Keep a cluster's step. Returns the work that it was."""
        last = kept.seen
        seen = yield from self._ledger.loads.cluster_snapshot(name, last, encoded=False)
        if seen is None:
            kept.seen = None
            return 1
        if seen is last and wall_ns < kept.stale_at_ns and kept.series.steps.latest == step - 1:
            kept.series.put(step, kept.quiet_row)
            for engine in kept.engines.values():
                engine.weight *= DECAY
                if engine.series.steps.latest == step - 1:  # else it is listed no longer
                    engine.series.repeat(step)
            return 1 + len(kept.engines) // 4
        work = yield from self._read(kept, seen, step, wall_ns)
        kept.seen = seen
        return work

    def _read(self, kept: KeptCluster, seen: ClusterSnapshot, step: int, wall_ns: int) -> Generator[None, None, int]:
        """Keep the step of a cluster that changed."""
        sums = SignalSums()
        share = self._history.share
        idlest: float = inf
        stale = 0
        stale_at = inf
        busiest: list[Engine] = []
        engines = seen.order
        for start in range(0, len(engines), PART):
            if start:
                yield
            part = engines[start : start + PART]
            sums.add(part)
            idlest = min(idlest, *map(_requests, part)) if len(part) > 1 else min(idlest, part[0].queued_req_num)
            busiest = nlargest(share, [*busiest, *part], key=_requests)
            for engine in part:
                if engine.queued_req_num:
                    at = engine.updated_ns + self._stale_ns
                    if at <= wall_ns:
                        stale += 1
                    elif at < stale_at:
                        stale_at = at
        total = sums.named()
        starts, ends = self._rates(kept, seen, step, total["queued_req_num"])
        row = array("f", [*total.values(), len(engines), stale, starts, ends, sums.largest()["queued_req_num"], idlest])
        kept.quiet_row = row[:]
        for at in _RATES:
            kept.quiet_row[at] = 0.0
        kept.stale_at_ns = stale_at
        kept.series.put(step, row)
        kept.choose(busiest, share, step)
        for name, each in kept.engines.items():
            each.weight *= DECAY
            found = seen.cluster.engines.get(name)
            if found is not None:
                each.series.put(step, array("f", numbers(found)))
        return 4 + len(engines) % PART // 16 + len(kept.engines) // 2

    def _rates(self, kept: KeptCluster, seen: ClusterSnapshot, step: int, requests: int) -> tuple[float, float]:
        """Return the starts and ends a second since the last step; NaN where that is unknown."""
        last = kept.seen
        latest = kept.series.steps.latest
        if not self._history.settled() or self._looked is None:
            return nan, nan
        if last is not None and last.cluster is seen.cluster and latest is not None:
            seconds = (step - latest) * STEP_SECONDS
            began, held = last.added_total, kept.quiet_row[0]
        elif self._looked == step - 1:  # it was opened since
            seconds, began, held = STEP_SECONDS, 0, 0.0
        else:
            return nan, nan
        started = seen.added_total - began
        ended = max(0.0, held + started - requests)
        return started / seconds, ended / seconds

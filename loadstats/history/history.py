# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The last hour of all clusters, bounded. Written on the event loop; any thread may read.

It is kept for at most 1,000 clusters. Among these, 7,000 engines are shared out equally: at 1,000 clusters the 7
busiest engines of each. That is 29 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from math import isnan
from time import monotonic, time_ns
from typing import Annotated, Final

from msgspec import Meta, Struct

from loadstats.history.columns import CLUSTER_COLUMNS, ENGINE_COLUMNS, Column
from loadstats.history.joined import Joined
from loadstats.history.kept import KeptCluster
from loadstats.history.series import MINUTE_SECONDS, MINUTES, PER_MINUTE, STEP_SECONDS, STEPS, Series

MOST_CLUSTERS: Final = 1000
ENGINES_IN_ALL: Final = 7000
MOST_ENGINES: Final = 64
"""Of one cluster, however few clusters there are."""

JOINED_AT_ONCE = 4  # clusters taken together in one slice: 0.4 ms


class LoadHistory(Struct, frozen=True):
    """A piece of the history.

    `step_seconds`: the time between two numbers.
    `end_ns`: when the last numbers were, in wall-clock nanoseconds.
    `series`: the numbers by column, the oldest first. One that is unknown is NaN, in JSON null.
    """

    step_seconds: Annotated[int, Meta(ge=1)]
    end_ns: Annotated[int, Meta(extra_json_schema={"format": "int64"})]
    series: Mapping[str, Sequence[float | None]]


class History:
    """The history of one node.

    `total`: all clusters together.
    `clusters`: what is kept of each, by name.
    `latest`: the latest step that was sampled, here or by a former life.
    `listed`: how many clusters have engines, so that the share is right before all of them are kept.
    `settled`: returns whether the ledger changes by what clients report alone. While a peer's copy is merged into it,
    how many requests start is unknown.

    `now`: returns monotonic seconds. `wall_ns`: returns wall-clock nanoseconds.
    """

    def __init__(self, now: Callable[[], float] = monotonic, wall_ns: Callable[[], int] = time_ns) -> None:
        self.total = Series(CLUSTER_COLUMNS)
        self.clusters: dict[str, KeptCluster] = {}
        self.latest = 0
        self.listed = 0
        self.settled: Callable[[], bool] = lambda: True
        self.now = now
        self._wall_ns = wall_ns

    @property
    def share(self) -> int:
        """How many engines of each cluster are kept."""
        clusters = max(1, len(self.clusters), min(self.listed, MOST_CLUSTERS))
        return min(MOST_ENGINES, ENGINES_IN_ALL // clusters)

    def step(self) -> int:
        """Return the step that it is now."""
        return int(self.now() // STEP_SECONDS)

    def open(self, name: str) -> KeptCluster | None:
        """Return what is kept of a cluster, from now on if it is new; None if there is no more room."""
        kept = self.clusters.get(name)
        if kept is None and (len(self.clusters) < MOST_CLUSTERS or self._drop_gone()):
            kept = self.clusters[name] = KeptCluster()
        return kept

    def trim(self) -> None:
        """Forget the engines beyond each cluster's share."""
        share = self.share
        for kept in self.clusters.values():
            kept.keep_most(share)

    def forget_old(self, step: int) -> None:
        """Forget the clusters of which nothing is left at a step."""
        for name in [name for name, kept in self.clusters.items() if kept.seen is None and kept.is_over(step)]:
            del self.clusters[name]

    def steps_of(self, cluster: str, engine: str | None = None) -> LoadHistory:
        """Return the last 15 minutes of a cluster or an engine. What is not kept is unknown."""
        return self._piece(self._find(cluster, engine), _columns(engine), minutes=False)

    def minutes_of(self, cluster: str, engine: str | None = None) -> LoadHistory:
        """Return the last hour of a cluster or an engine. What is not kept is unknown."""
        return self._piece(self._find(cluster, engine), _columns(engine), minutes=True)

    def recent(self, cluster: str, column: str, count: int) -> list[float | None]:
        """Return the last steps of one number of a cluster, the oldest first; None where it is unknown."""
        last, _ = self._window(minutes=False)
        kept = self.clusters.get(cluster)
        if kept is None:
            return [None] * count
        place = next(at for at, each in enumerate(CLUSTER_COLUMNS) if each.name == column)
        numbers = kept.series.steps.rows(last, count)[place :: len(CLUSTER_COLUMNS)]
        return [None if isnan(number) else number for number in numbers]

    def recent_age_seconds(self) -> float:
        """Return how long ago the last step was that `recent` returns."""
        return self.age_seconds(self._window(minutes=False)[0], minutes=False)

    def total_of(self, *, minutes: bool) -> LoadHistory:
        """Return all clusters together."""
        return self._piece(self.total, CLUSTER_COLUMNS, minutes=minutes)

    def joined(self, clusters: Iterable[str], *, minutes: bool) -> Generator[None, None, LoadHistory]:
        """Return some clusters together."""
        last, count = self._window(minutes=minutes)
        joined = Joined(count)
        for at, name in enumerate(clusters):
            kept = self.clusters.get(name)
            if kept is not None:
                joined.add((kept.series.minutes if minutes else kept.series.steps).rows(last, count))
            if at % JOINED_AT_ONCE == JOINED_AT_ONCE - 1:
                yield
        return self._shown(CLUSTER_COLUMNS, joined.values(), last, minutes=minutes)

    def age_seconds(self, last: int, *, minutes: bool) -> float:
        """Return how long ago a step, or the last step of a minute, was."""
        step = (last + 1) * PER_MINUTE - 1 if minutes else last
        return self.now() - step * STEP_SECONDS

    def _find(self, cluster: str, engine: str | None) -> Series | None:
        kept = self.clusters.get(cluster)
        if kept is None or engine is None:
            return None if kept is None else kept.series
        found = kept.engines.get(engine)
        return None if found is None else found.series

    def _window(self, *, minutes: bool) -> tuple[int, int]:
        """Return the last step to show, or the last minute, and how many."""
        last = max(self.latest, self.step() - 1)
        return (last // PER_MINUTE - 1, MINUTES) if minutes else (last, STEPS)

    def _piece(self, series: Series | None, columns: tuple[Column, ...], *, minutes: bool) -> LoadHistory:
        last, count = self._window(minutes=minutes)
        if series is None:
            series = Series(columns)
        ring = series.minutes if minutes else series.steps
        return self._shown(columns, ring.rows(last, count), last, minutes=minutes)

    def _shown(self, columns: tuple[Column, ...], values: Iterable[float], last: int, *, minutes: bool) -> LoadHistory:
        numbers = [round(value, 2) for value in values]
        series = {column.name: numbers[at :: len(columns)] for at, column in enumerate(columns)}
        end_ns = self._wall_ns() - int(self.age_seconds(last, minutes=minutes) * 1e9)
        return LoadHistory(MINUTE_SECONDS if minutes else STEP_SECONDS, end_ns, series)

    def _drop_gone(self) -> bool:
        """Forget the cluster that has been without engines for longest. Returns False if all have engines."""
        gone = [(kept.series.steps.latest or 0, name) for name, kept in self.clusters.items() if kept.seen is None]
        if gone:
            del self.clusters[min(gone)[1]]
        return bool(gone)


def _columns(engine: str | None) -> tuple[Column, ...]:
    return CLUSTER_COLUMNS if engine is None else ENGINE_COLUMNS

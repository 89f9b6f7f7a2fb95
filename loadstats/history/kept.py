# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the history keeps of one cluster: its series, and those of its busiest engines. Pure; owned by the history."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from loadstats.history.columns import CLUSTER_COLUMNS, ENGINE_COLUMNS
from loadstats.history.series import MINUTE_SECONDS, MINUTES, STEP_SECONDS, Series
from loadstats.ledger import ClusterSnapshot, Engine

DECAY = 0.9  # of an engine's weight at each step: half of it is left after a minute
LIFE_STEPS = MINUTES * MINUTE_SECONDS // STEP_SECONDS  # after which nothing of a series is shown


class KeptEngine:
    """An engine's series.

    `weight`: the most requests that it had lately. Where there is no more room, the lightest gives way.
    """

    __slots__ = ("series", "weight")

    def __init__(self) -> None:
        self.series = Series(ENGINE_COLUMNS)
        self.weight = 0.0


class KeptCluster:
    """A cluster's series and its engines'.

    `series`: the cluster's.
    `engines`: the engines that are kept, by name.
    `seen`: the cluster as it was last looked at; None before the first look, and once the cluster has no engines.
    `quiet_row`: the row of a step in which nothing changed.
    `stale_at_ns`: when another engine becomes stale if nothing changes, in wall-clock nanoseconds.
    """

    __slots__ = ("engines", "quiet_row", "seen", "series", "stale_at_ns")

    def __init__(self) -> None:
        self.series = Series(CLUSTER_COLUMNS)
        self.engines: dict[str, KeptEngine] = {}
        self.seen: ClusterSnapshot | None = None
        self.quiet_row = array("f")
        self.stale_at_ns = 0.0

    def is_over(self, step: int) -> bool:
        """Return whether nothing of the last hour is left at a step."""
        latest = self.series.steps.latest
        return latest is None or latest <= step - LIFE_STEPS

    def choose(self, busiest: Iterable[Engine], most: int, step: int) -> None:
        """Keep the busiest engines, at most `most`. An engine stays until a busier one needs its room."""
        for name in [name for name, kept in self.engines.items() if _is_over(kept, step)]:
            del self.engines[name]
        for engine in busiest:
            if engine.name not in self.engines:
                if len(self.engines) >= most:
                    lightest = min(self.engines, key=self._weight)
                    if self.engines[lightest].weight >= engine.queued_req_num:
                        continue
                    del self.engines[lightest]
                self.engines[engine.name] = KeptEngine()
            kept = self.engines[engine.name]
            kept.weight = max(kept.weight, engine.queued_req_num)
        self.keep_most(most)

    def keep_most(self, most: int) -> None:
        """Forget the lightest engines beyond `most`."""
        while len(self.engines) > most:
            del self.engines[min(self.engines, key=self._weight)]

    def _weight(self, name: str) -> float:
        return self.engines[name].weight


def _is_over(kept: KeptEngine, step: int) -> bool:
    latest = kept.series.steps.latest
    return latest is not None and latest <= step - LIFE_STEPS

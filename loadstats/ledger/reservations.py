# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reservation takes and gives: the engines to choose from, the choice, the engine that was reserved.

`Ledger.reserve` makes reservations. `view_of` wants the ledger's lock held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.cluster import Cluster, Engine

MAX_CANDIDATES = 5_000  # of more, a choice would hold the lock for longer than others may have to wait

T = TypeVar("T")


class CandidateNames:
    """The engines that a call names, each once. Reuse it for the same cluster: it remembers where the engines are.

    `texts`: the engines' names.
    `ips`: the engines' addresses, in the same order.
    """

    __slots__ = ("_view", "ips", "texts")

    def __init__(self, texts: Sequence[str], ips: Sequence[str]) -> None:
        self.texts = texts
        self.ips = ips
        self._view: CandidateView | None = None

    def view(self, cluster: Cluster, numbers: CandidateNumbers) -> CandidateView:
        """Return a view of these engines. An engine that the cluster does not know has no load.

        If they are all engines of the cluster, the view has the cluster's order.
        """
        view = self._view
        if view is None or not view.is_current(numbers):
            engines, idle = cluster.engines, len(cluster.order)
            if len(self.texts) == idle and engines.keys() >= set(self.texts):
                view = _all(cluster, numbers)
            else:
                places = [idle if (engine := engines.get(text)) is None else engine.index for text in self.texts]
                view = CandidateView.some(numbers, places, self.ips, self.texts.__getitem__)
            self._view = view
        return view

    def __contains__(self, name: str) -> bool:
        return name in self.texts


class EngineChoice(NamedTuple):
    """What a policy chose.

    `place`: the engine's place in the view.
    `score`: how good the engine is; the higher, the better.
    """

    place: int
    score: float


class Reserved(NamedTuple):
    """The engine that a request is on.

    `name`: the engine's name.
    `ip`: the engine's address.
    `row`: the engine's row as JSON, with this request.
    `score`: the engine's score; None if the request was on the engine before.
    `attempt`: which attempt of the request it is on the engine for.
    """

    name: str
    ip: str
    row: bytes
    score: float | None
    attempt: int = 1


class NoCandidates(Exception):
    """The call names no engines, and the cluster has none."""


def is_candidate(engine: Engine, cluster: str, names: CandidateNames | None) -> bool:
    """Return whether a reservation in a cluster may take this engine. It may not if the engine is no longer listed."""
    if engine.cluster is None or engine.cluster.name != cluster:
        return False
    return names is None or engine.name in names


def view_of(cluster: Cluster | None, names: CandidateNames | None, crc: int) -> CandidateView:
    """Return the engines to choose from. `crc` selects a part of a large cluster. Raises `NoCandidates`."""
    if cluster is None:
        if names is None:
            raise NoCandidates
        return CandidateView.some(CandidateNumbers(), [0] * len(names.texts), names.ips, names.texts.__getitem__)
    cluster.refresh(len(cluster.stale))
    numbers = cluster.candidate_numbers()
    if names is not None:
        return names.view(cluster, numbers)
    return _all(cluster, numbers) if len(cluster.order) <= MAX_CANDIDATES else _window(cluster, numbers, crc)


def _all(cluster: Cluster, numbers: CandidateNumbers) -> CandidateView:
    view = cluster.whole_view
    if view is None or not view.is_current(numbers):
        order = cluster.order
        view = CandidateView(numbers, list.copy, numbers.ips, lambda place: order[place].name)
        cluster.whole_view = view
    return view


def _window(cluster: Cluster, numbers: CandidateNumbers, crc: int) -> CandidateView:
    """View `MAX_CANDIDATES` engines in a row, from a place that the request's id gives."""
    order = cluster.order
    start = crc % len(order)
    before = max(0, start + MAX_CANDIDATES - len(order))

    def some(them: list[T]) -> list[T]:
        return them[start : start + MAX_CANDIDATES] + them[:before]

    return CandidateView(numbers, some, some(numbers.ips), lambda place: order[(start + place) % len(order)].name)

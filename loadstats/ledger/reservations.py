# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reservations: choosing an engine for a request and adding the request to it in one step.

Any thread. The ledger's lock is held from the look at the candidates to the end of the add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from zlib import crc32

from loadstats.ledger.adding import Adding
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.clock import TickClock
from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.engines import Engines
from loadstats.ledger.event import LATEST, MAX_ATTEMPT
from loadstats.ledger.limits import BUCKETS, SLICE, LedgerFull
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import attempt_of
from loadstats.ledger.records import Records

MAX_CANDIDATES = 5_000  # of more, a choice would hold the lock for longer than others may have to wait

NO_WEIGHTS: Mapping[int, float] = MappingProxyType({})
T = TypeVar("T")


class CandidateNames:
    """The engines that a call names, each once. Reuse it for the same cluster: it remembers where the engines are.

    `texts`: the engines' names.
    `ips`: the engines' addresses, in the same order.
    `weights`: their weights by place, where they are not 1.
    """

    __slots__ = ("_view", "ips", "texts", "weights")

    def __init__(self, texts: Sequence[str], ips: Sequence[str], weights: Mapping[int, float] = NO_WEIGHTS) -> None:
        self.texts = texts
        self.ips = ips
        self.weights = weights
        self._view: CandidateView | None = None

    def view(self, cluster: Cluster, numbers: CandidateNumbers) -> CandidateView:
        """Return a view of these engines. An engine that the cluster does not know has no load.

        If they are all engines of the cluster, the view has the cluster's order.
        """
        view = self._view
        if view is None or not view.is_current(numbers):
            engines, idle = cluster.engines, len(cluster.order)
            if len(self.texts) == idle and not self.weights and engines.keys() >= set(self.texts):
                view = _all(cluster, numbers)
            else:
                places = [idle if (engine := engines.get(text)) is None else engine.index for text in self.texts]
                view = CandidateView.some(numbers, places, self.ips, self.texts.__getitem__)
                view.weights = self.weights
            self._view = view
        return view

    def __contains__(self, name: str) -> bool:
        return name in self.texts


class EngineChoice(NamedTuple):
    """What a policy chose.

    `place`: the engine's place in the view.
    `score`: how good the engine is; the higher, the better.
    `prompt_length`: what of the prompt counts on the engine; None: all.
    """

    place: int
    score: float
    prompt_length: int | None = None


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


class Reservations:
    """Makes reservations in one ledger."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        clock: TickClock,
        counts: LedgerCounts,
        engines: Engines,
        owners: Owners,
        records: Records,
        adding: Adding,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._counts = counts
        self._engines = engines
        self._owners = owners
        self._records = records
        self._adding = adding

    def reserve(
        self,
        request_id: str,
        cluster: str,
        names: CandidateNames | None,
        choose: Callable[[CandidateView], EngineChoice | None],
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str = "",
        *,
        attempt: int = LATEST,
        incarnation: str = "",
        client: str = "",
        full: bool = False,
    ) -> Reserved | None:
        """Choose an engine and add a request to it in one step, so that no other request is counted in between.

        `choose` takes one of the named engines, or of all that the cluster has. A request that is under way stays on
        its engine as long as that is a candidate; else this is its next attempt. If `attempt` is no larger than the
        known one, it stays in any case. The others are as in `Ledger.add`. Returns None, and adds nothing, if
        `choose` takes none. If `full`, the row has what is 0, too. Raises `NoCandidates` and `LedgerFull`.

        Holds the lock for 0.05 ms with 1,000 engines and 0.25 ms with 5,000; the first choice in a cluster takes 0.2
        and 1 ms.
        """
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._records.buckets[crc % BUCKETS].get(request_id)
            if record is not None and (before := record.engine) is not None:
                known = attempt_of(record)
                stays = record.phase is not DONE and _is_candidate(before, cluster, names)
                if attempt <= known if attempt else stays:
                    self._counts.repeated += 1
                    return Reserved(before.name, before.parts.ip, before.encode(full=full), None, known)
                attempt = attempt or known + 1
                if attempt > MAX_ATTEMPT:
                    raise LedgerFull("attempts", MAX_ATTEMPT)
            view = _view_of(self._engines.clusters.get(cluster), names, crc)
            choice = choose(view)
            if choice is None:
                return None
            name = view.name(choice.place)
            if choice.prompt_length is not None:
                prompt_length = choice.prompt_length
            record = self._adding.add(
                crc, record, request_id, cluster, name, prompt_length, now, wall_ns, owner, attempt, incarnation, client
            )
            engine = record.engine
            assert engine is not None
            listed = engine.cluster
            assert listed is not None  # an engine with a request is in its cluster
            listed.refresh(2)  # since the view only this one changed, and the one of the attempt before
            row = engine.encode(full=True) if full else listed.encoded[engine.index]
            reserved = Reserved(engine.name, engine.parts.ip, row, choice.score, attempt_of(record))
            if incarnation:  # changes other rows
                self._owners.settle(self._clock.at(now), wall_ns, SLICE)
            return reserved


def _is_candidate(engine: Engine, cluster: str, names: CandidateNames | None) -> bool:
    """Return whether a reservation in a cluster may take this engine. It may not if the engine is no longer listed."""
    if engine.cluster is None or engine.cluster.name != cluster:
        return False
    return names is None or engine.name in names


def _view_of(cluster: Cluster | None, names: CandidateNames | None, crc: int) -> CandidateView:
    """Return the engines to choose from. `crc` selects a part of a large cluster. Raises `NoCandidates`."""
    if cluster is None:
        if names is None:
            raise NoCandidates
        view = CandidateView.some(CandidateNumbers(), [0] * len(names.texts), names.ips, names.texts.__getitem__)
        view.weights = names.weights
        return view
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

    def place_of(index: int) -> int | None:
        place = (index - start) % len(order)
        return place if place < MAX_CANDIDATES else None

    return CandidateView(
        numbers, some, some(numbers.ips), lambda place: order[(start + place) % len(order)].name, place_of
    )

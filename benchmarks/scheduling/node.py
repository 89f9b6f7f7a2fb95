# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of this service in a run: the product's own ledger, index of caches and pick handler, on simulated time.

What is simulated is what lies between them: the way of a call, and how late another node's events come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.json import decode

from benchmarks.scheduling.fleet import Fleet
from edge.call import Call
from kvcache.index import CacheIndex
from loadstats.ledger import FAILED, GATEWAY, Added, EngineChoice, Event, Ledger, Origin
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.reservations import CandidateNames
from loadstats.pick.cache_credit import CachedLengths
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions

CLUSTER = "model"
DEFAULT = PickOptions()
Lag = Callable[[], float]
"""Returns how many seconds an event of one node takes to be known on another."""


class Chosen(Struct):
    """What is read of a pick's answer."""

    ip: str
    cache_length: int


class Node:
    """One node.

    `seen`: how many adds to each engine it knows of.
    `names`: the engines as candidates.
    `places`: the engines' places by name.
    """

    def __init__(
        self,
        fleet: Fleet,
        random: Callable[[], float],
        name: str,
        index_blocks: int,
        ttl: float,
        options: PickOptions = DEFAULT,
    ) -> None:
        self._loop = fleet.loop
        self.places = {name: place for place, name in enumerate(fleet.names)}
        self.ledger = Ledger()
        self.index = CacheIndex(max_engine_blocks=index_blocks, ttl_seconds=ttl)
        self.names = CandidateNames(fleet.names, fleet.names)
        self.seen = [0] * len(fleet.names)
        self.origin = Origin.of(name)
        self.peers: list[Link] = []
        self._stamp = self._seq = 0
        self._order: tuple[CandidateView | None, list[int]] = None, []
        self._handlers = PickHandlers(
            self.ledger,
            options,
            random,
            cached=self.index.lengths,
            keep=lambda cluster, engine, hashes, client: self.save(engine, hashes),
            now=self._now,
            wall_ns=self._wall_ns,
        )

    def connect(self, others: Sequence[Node], lag: Lag) -> None:
        """Send everything to other nodes from now on."""
        self.peers = [Link(self._loop, self, other, lag) for other in others]
        self.ledger.journal = self

    # Calls of clients

    def pick(self, body: bytes) -> tuple[int, int]:
        """Answer `POST /v1/load/pick`. Returns the engine's place and how many blocks of the prompt it has."""
        answer = decode(self._handlers.pick(Call(b"", body, {})), type=Chosen)
        return self.places[answer.ip], answer.cache_length

    def add(self, request_id: str, place: int, prompt_length: int, name: str) -> None:
        """Take `POST /v1/load/stats`."""
        self.ledger.add(request_id, CLUSTER, name, prompt_length, self._now(), self._wall_ns())

    def rows(self) -> tuple[list[float], list[float]]:
        """Return the requests and the prompt lengths of all engines, as the node answers them, by place."""
        found: list[tuple[list[float], list[float]]] = []

        def see(view: CandidateView) -> EngineChoice | None:
            found.append(self._by_place(view))
            return None

        self.ledger.reservations.reserve("look", CLUSTER, self.names, see, 0, self._now(), self._wall_ns())
        return found[0]

    def _by_place(self, view: CandidateView) -> tuple[list[float], list[float]]:
        """Return the same of a view, which has an order of its own."""
        requests, prompts = view.numbers()
        if self._order[0] is not view:
            self._order = view, [self.places[view.name(place)] for place in range(len(requests))]
        by_place = sorted(zip(self._order[1], requests, prompts, strict=True))
        return [each[1] for each in by_place], [each[2] for each in by_place]

    def lengths(self, blocks: tuple[int, ...]) -> CachedLengths | None:
        """Return how many leading blocks of a prompt the engines have, as far as the node knows."""
        return self.index.lengths(CLUSTER, blocks) if blocks else None

    def save(self, engine: str, blocks: tuple[int, ...]) -> None:
        """Take that an engine has a prompt in its cache."""
        self._stamp += 1
        self.saved(engine, blocks, self._stamp)
        for peer in self.peers:
            peer.send(peer.other.saved, engine, blocks, self._stamp)

    def first_token(self, request_id: str) -> None:
        """Take `DELETE /v1/load/prompt`."""
        self.ledger.first_token(request_id, self._now(), self._wall_ns())

    def done(self, request_id: str, failed: bool) -> None:
        """Take `DELETE /v1/load/stats`, with or without `"outcome":"error"`."""
        self.ledger.done(request_id, self._now(), self._wall_ns(), FAILED if failed else GATEWAY)

    # Among nodes

    def append(self, event: Any, now: float, size: int = 0) -> int:
        """Take an event of the ledger's for the other nodes. Returns its number."""
        self._seq += 1
        for peer in self.peers:
            peer.send(peer.other.apply, event, self.origin.name, self._seq)
        return self._seq

    def apply(self, event: Event, origin: str, number: int) -> None:
        """Apply an event of another node's."""
        replica = self.ledger.replica
        replica.apply((event,), replica.origin(origin), number, self._now(), self._wall_ns())
        if isinstance(event, Added):
            place = self.places[event.engine]
            self.seen[place] += 1

    def saved(self, engine: str, blocks: tuple[int, ...], stamp: int) -> None:
        """Keep what was saved here or elsewhere."""
        self._stamp = max(self._stamp, stamp)
        self.index.save(CLUSTER, engine, blocks, self._now(), stamp)

    def _now(self) -> float:
        return self._loop.now

    def _wall_ns(self) -> int:
        return int(self._loop.now * 1e9)


class Link:
    """One node's events on their way to another: each takes its time, none overtakes."""

    def __init__(self, loop: Any, node: Node, other: Node, lag: Lag) -> None:
        self._loop = loop
        self._lag = lag
        self._last = 0.0
        self.node = node
        self.other = other

    def send(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make a call on the other node, later."""
        self._last = max(self._last, self._loop.now + self._lag())
        self._loop.at(self._last, call, *arguments)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients said in a simulated world, summed up in the plainest way: what all nodes must come to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from loadstats.ledger import Added, Beat, Done, Event, FirstToken, FromIncarnation, RequestRefreshed, TokensCounted
from replication.entities.caches import CacheEvent, CacheLost, Saved

Dot = tuple[str, int]
Attempt = tuple[str, int]
"""A request's id and which attempt of it."""


class View(NamedTuple):
    """A live request, as all nodes must have it."""

    cluster: str
    ip: str
    phase: int
    prompt_length: int
    owner: str
    tokens: tuple[int, int]
    refreshed_ms: int
    attempt: int = 1
    incarnation: str = ""


@dataclass
class Told:
    """What clients said, whichever node took it, summed up: what all nodes must come to hold."""

    latest: dict[str, int] = field(default_factory=dict)  # the latest attempt of each request
    adds: dict[Attempt, tuple[Dot, Added]] = field(default_factory=dict)  # with the lowest dot
    decoding: set[Attempt] = field(default_factory=set)
    ended: set[Attempt] = field(default_factory=set)
    dropped: dict[str, Dot] = field(default_factory=dict)  # with their engines; the dot that was there
    tokens: dict[Attempt, tuple[int, int]] = field(default_factory=dict)
    refreshed: dict[Attempt, int] = field(default_factory=dict)
    beats: dict[str, int] = field(default_factory=dict)
    incarnations: dict[tuple[str, int], str] = field(default_factory=dict)  # that an add named, by its dot
    seen: dict[str, dict[str, int]] = field(default_factory=dict)  # by owner, when each was first seen at the earliest
    saved: dict[tuple[str, str, int], int] = field(default_factory=dict)  # by cluster, engine and block: the last stamp
    lost: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def note(self, dot: Dot, event: Event | CacheEvent) -> None:
        if isinstance(event, FromIncarnation):
            self.incarnations[dot] = event.incarnation
            seen = self.seen.setdefault(event.event.owner, {})
            seen[event.incarnation] = min(seen.get(event.incarnation, event.since_ms), event.since_ms)
            self.note(dot, event.event)
        elif isinstance(event, Added | FirstToken | Done | TokensCounted | RequestRefreshed):
            self._note((event.request_id, event.attempt), dot, event)
        elif isinstance(event, Beat):
            self.beats[event.owner] = max(self.beats.get(event.owner, 0), event.stamp_ms)
        elif isinstance(event, Saved):
            for block in event.hashes:
                place = event.cluster, event.engine, block
                self.saved[place] = max(self.saved.get(place, 0), event.stamp)
        elif isinstance(event, CacheLost):
            lost = event.cluster, event.engine
            self.lost[lost] = max(self.lost.get(lost, 0), event.stamp)

    def _note(self, of: Attempt, dot: Dot, event: Added | FirstToken | Done | TokensCounted | RequestRefreshed) -> None:
        self.latest[of[0]] = max(of[1], self.latest.get(of[0], 0))
        match event:
            case Added():
                self.adds[of] = min(self.adds.get(of, (dot, event)), (dot, event), key=lambda it: it[0])
            case FirstToken():
                self.decoding.add(of)
            case Done():
                self.ended.add(of)
            case TokensCounted(_, input_tokens, output_tokens):
                known = self.tokens.get(of, (0, 0))
                self.tokens[of] = max(known[0], input_tokens), max(known[1], output_tokens)
            case RequestRefreshed(_, stamp_ms):
                self.refreshed[of] = max(self.refreshed.get(of, 0), stamp_ms)

    def has_ended(self, request_id: str) -> bool:
        """Whether a client ended its latest attempt."""
        return (request_id, self.latest.get(request_id, 1)) in self.ended

    def over(self, request_id: str) -> bool:
        """Whether its latest attempt ended, has not been added, or was on an engine that a node dropped that knew it
        there."""
        of = request_id, self.latest[request_id]
        return of in self.ended or of not in self.adds or self.dropped.get(request_id) == self.adds[of][0]

    def views(self) -> dict[str, View]:
        """The requests that are under way, as every node must have them."""
        return {request_id: self.view(request_id) for request_id in self.latest if not self.over(request_id)}

    def superseded(self, request_id: str) -> bool:
        """Whether a later incarnation of its gateway was seen."""
        dot, add = self.adds[request_id, self.latest[request_id]]
        seen, incarnation = self.seen.get(add.owner, {}), self.incarnations.get(dot)
        return incarnation is not None and max(seen, key=lambda each: (seen[each], each)) != incarnation

    def view(self, request_id: str) -> View:
        """A request that is under way, as every node must have it."""
        of = request_id, self.latest[request_id]
        dot, add = self.adds[of]
        return View(
            add.cluster,
            add.engine,
            int(of in self.decoding),
            add.prompt_length,
            add.owner,
            self.tokens.get(of, (0, 0)),
            self.refreshed.get(of, 0),
            add.attempt,
            self.incarnations.get(dot, ""),
        )

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients said in a simulated world, summed up in the plainest way: what all nodes must come to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from loadstats.ledger import Added, Beat, Done, Event, FirstToken, RequestRefreshed, TokensCounted
from replication.entities.caches import CacheEvent, CacheLost, Saved


class View(NamedTuple):
    """A live request, as all nodes must have it."""

    cluster: str
    ip: str
    phase: int
    prompt_length: int
    owner: str
    tokens: tuple[int, int]
    refreshed_ms: int


@dataclass
class Told:
    """What clients said, whichever node took it, summed up: what all nodes must come to hold."""

    adds: dict[str, tuple[tuple[str, int], Added]] = field(default_factory=dict)  # with the lowest dot
    decoding: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    dropped: dict[str, tuple[str, int]] = field(default_factory=dict)  # with their engines; the dot that was there
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    refreshed: dict[str, int] = field(default_factory=dict)
    beats: dict[str, int] = field(default_factory=dict)
    saved: dict[tuple[str, str, int], int] = field(default_factory=dict)  # by cluster, engine and block: the last stamp
    lost: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def note(self, dot: tuple[str, int], event: Event | CacheEvent) -> None:
        match event:
            case Added(request_id):
                self.adds[request_id] = min(self.adds.get(request_id, (dot, event)), (dot, event), key=lambda it: it[0])
            case FirstToken(request_id):
                self.decoding.add(request_id)
            case Done(request_id):
                self.ended.add(request_id)
            case TokensCounted(request_id, input_tokens, output_tokens):
                known = self.tokens.get(request_id, (0, 0))
                self.tokens[request_id] = max(known[0], input_tokens), max(known[1], output_tokens)
            case RequestRefreshed(request_id, stamp_ms):
                self.refreshed[request_id] = max(self.refreshed.get(request_id, 0), stamp_ms)
            case Beat(owner, _, stamp_ms):
                self.beats[owner] = max(self.beats.get(owner, 0), stamp_ms)
            case Saved(cluster, engine, stamp, hashes):
                for block in hashes:
                    place = cluster, engine, block
                    self.saved[place] = max(self.saved.get(place, 0), stamp)
            case CacheLost(cluster, engine, stamp):
                self.lost[cluster, engine] = max(self.lost.get((cluster, engine), 0), stamp)

    def over(self, request_id: str) -> bool:
        """Whether it ended, or its engine was dropped by a node that knew it there."""
        return request_id in self.ended or self.dropped.get(request_id) == self.adds[request_id][0]

    def view(self, request_id: str) -> View:
        """A request that is under way, as every node must have it."""
        _, add = self.adds[request_id]
        return View(
            add.cluster,
            add.engine,
            int(request_id in self.decoding),
            add.prompt_length,
            add.owner,
            self.tokens.get(request_id, (0, 0)),
            self.refreshed.get(request_id, 0),
        )

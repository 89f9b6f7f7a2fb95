# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients said in a simulated world, summed up in the plainest way: what all nodes must come to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from loadstats.ledger import Added, Beat, Done, Event, FirstToken, FromIncarnation, RequestRefreshed, TokensCounted


class View(NamedTuple):
    """A live request, as all nodes must have it."""

    cluster: str
    ip: str
    phase: int
    prompt_length: int
    owner: str
    tokens: tuple[int, int]
    refreshed_ms: int
    incarnation: str = ""


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
    incarnations: dict[tuple[str, int], str] = field(default_factory=dict)  # that an add named, by its dot
    seen: dict[str, dict[str, int]] = field(default_factory=dict)  # by owner, when each was first seen at the earliest

    def note(self, dot: tuple[str, int], event: Event) -> None:
        match event:
            case FromIncarnation(incarnation, since_ms, report):
                self.incarnations[dot] = incarnation
                seen = self.seen.setdefault(report.owner, {})
                seen[incarnation] = min(seen.get(incarnation, since_ms), since_ms)
                self.note(dot, report)
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

    def over(self, request_id: str) -> bool:
        """Whether it ended, or its engine was dropped by a node that knew it there."""
        return request_id in self.ended or self.dropped.get(request_id) == self.adds[request_id][0]

    def superseded(self, request_id: str) -> bool:
        """Whether a later incarnation of its gateway was seen."""
        dot, add = self.adds[request_id]
        seen, incarnation = self.seen.get(add.owner, {}), self.incarnations.get(dot)
        return incarnation is not None and max(seen, key=lambda each: (seen[each], each)) != incarnation

    def view(self, request_id: str) -> View:
        """A request that is under way, as every node must have it."""
        dot, add = self.adds[request_id]
        return View(
            add.cluster,
            add.engine,
            int(request_id in self.decoding),
            add.prompt_length,
            add.owner,
            self.tokens.get(request_id, (0, 0)),
            self.refreshed.get(request_id, 0),
            self.incarnations.get(dot, ""),
        )

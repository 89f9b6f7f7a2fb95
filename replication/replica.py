# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node among its peers: what it takes from them, what it reports to them, what it pulls. Pure: no network, no clock.

Owned by the event loop; what the entities keep their data in, and the journal, may be used by other threads. The
simulation in the tests and the node run this same code.

`vector` holds, for each origin, the last event before which this node has seen all. Always true: events are applied
before it moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from math import inf
from types import MappingProxyType
from typing import Protocol

from edge.errors import InvalidInput
from replication.bounds import LATEST_SEQ, OLDEST_SECONDS
from replication.buckets import State, Want
from replication.entities import Event, Summary
from replication.entity import Entity, EventBatch
from replication.features import FEATURES, NAMES, NOTHING
from replication.journal import Journal
from replication.left_out import LeftOut
from replication.messages import Ack, Push
from replication.own_faults import OwnFaults
from replication.paths import VERSION
from replication.pending import PendingPulls
from replication.sender import SIGN_OF_LIFE_SECONDS, Sender
from replication.watermarks import Watermarks

# Three signs of life missed.
SILENCE_SECONDS = 3 * SIGN_OF_LIFE_SECONDS
MAX_NODES = 256  # of whom gaps and signs of life are noted
NONE_UNREAD: Mapping[int, str] = MappingProxyType({})


class OthersOnLog(Protocol):
    """The other nodes on a log."""

    @property
    def acknowledged(self) -> int:
        """The last of this node's events before which all of them have all."""

    @property
    def behind(self) -> bool:
        """Whether some of them and this node may not know all of each other's events."""


class Replica:
    """One node's share in replication.

    `entities`: all that is replicated.
    `pending`: by name, for each entity that is not compared, the peers that it is still to be pulled from.
    `log`: the other nodes as they are known by a log; None: there is no log.
    `joined`: whether this node has caught up with its peers.
    `gaps`: nodes whose journals no longer hold what this node misses.
    `missing`: origins of whom a node on the log has more than this one, and that cannot append it again.
    `taken_events`: how many events of peers were applied.
    `left_out`: the events of peers that could not be taken.
    `unanswered`: calls of peers that failed through a fault of this node.
    """

    def __init__(self, journal: Journal, entities: Sequence[Entity]) -> None:
        self._journal = journal
        self.entities = entities
        self.pending = {entity.name: PendingPulls() for entity in entities if not entity.compared}
        self.log: OthersOnLog | None = None
        self.joined = False
        self.console_url = ""
        self.taken_events = 0
        self.left_out = LeftOut()
        self.unanswered = OwnFaults()
        self.gaps: set[str] = set()
        self.missing: set[str] = set()
        self._watermarks = Watermarks(self._lifetime_seconds, self._has_records)
        self._heard: dict[str, float] = {}  # when each node last pushed

    @property
    def origin(self) -> str:
        """This node's own origin."""
        return self._journal.origin.name

    @property
    def compared(self) -> list[Entity]:
        """The entities that are repaired by digests."""
        return [entity for entity in self.entities if entity.compared]

    @property
    def pulled_later(self) -> list[Entity]:
        """The entities that are pulled whole after watermarks were adopted."""
        return [entity for entity in self.entities if not entity.compared]

    @property
    def lacks(self) -> bool:
        """Whether it is known that others have what this node misses, and what only a pull or a snapshot can bring."""
        return bool(self.gaps or self.missing)

    def digests(self) -> list[int]:
        """Return the digests of all buckets of the compared entities."""
        return [digest for entity in self.compared for digest in entity.digests()]

    def seen(self, origin: str) -> int:
        """Return the watermark of an origin."""
        return self._watermarks.seen(origin)

    def vector(self) -> dict[str, int]:
        """Return the watermarks, our own included."""
        return {**self._watermarks.all(), self.origin: self._journal.latest}

    # What is pushed to peers

    def for_peer(self, events: list[Event], features: Set[str]) -> list[Event]:
        """Return events as a peer with these features understands them: as many, in the same order."""
        if features >= FEATURES:
            return events
        return [self._for_peer(event, features) for event in events]

    def _for_peer(self, event: Event, features: Set[str]) -> Event:
        for entity in self.entities:
            if type(event) in entity.events:
                said: Event = entity.for_peer(event, features)
                return said
        return event

    # What peers push

    def take(
        self, push: Push, now: float, wall_ns: int, unread: Mapping[int, str] = NONE_UNREAD, *, mesh: bool = True
    ) -> Ack:
        """Apply a peer's events. Each that cannot be taken is left out, as are those that could not be read: `unread`
        says why by their index, and `NOTHING` is in their place. What came by the log says nothing of how a peer is
        (`mesh`): it may have been appended long ago.

        Raises InvalidInput, and applies nothing, if the push itself is wrong.
        """
        _check_push(push, self.origin)
        watermark = self._watermarks.seen(push.origin)
        if mesh:
            self._note_peer(push, watermark, now)
        first = push.first
        if news := push.events[max(0, watermark + 1 - first) :]:
            skipped = len(push.events) - len(news)
            refused = {index - skipped: reason for index, reason in unread.items() if index >= skipped}
            concerned = self._concerned(news)
            news = self._checked(news, concerned, refused)
            seq, later = first + skipped, push.later_seconds[-len(news) :]
            self.taken_events += len(news) - len(refused)
            batch = EventBatch(news, push.origin, seq, min(push.age_ms / 1000, OLDEST_SECONDS), later)
            for entity in concerned:
                entity.apply(batch, now, wall_ns)
            until = now + self._lifetime_seconds()
            for index, reason in sorted(refused.items()):
                self.left_out.add(push.origin, seq + index, reason, until)
        last = first + len(push.events) - 1
        if first <= watermark + 1 and last > watermark:
            self._watermarks.advance(push.origin, last)
        elif push.origin not in self._watermarks:
            self._watermarks.advance(push.origin, watermark)
        return Ack(VERSION, self.origin, self._watermarks.seen(push.origin), self.joined, NAMES, self.console_url)

    def _note_peer(self, push: Push, watermark: int, now: float) -> None:
        """Note what a push says of the peer that sent it."""
        if push.age_ms <= SILENCE_SECONDS * 1000:  # else it has more to report
            if len(self._heard) >= MAX_NODES and node_of(push.origin) not in self._heard:
                self._heard.clear()
            self._heard[node_of(push.origin)] = now
        if push.oldest <= watermark + 1:
            self.gaps.discard(node_of(push.origin))
        elif len(self.gaps) < MAX_NODES:
            self.gaps.add(node_of(push.origin))

    def _concerned(self, events: Sequence[Event]) -> list[Entity]:
        """Return the entities that have some of the events."""
        kinds = set(map(type, events))
        return [entity for entity in self.entities if not kinds.isdisjoint(entity.events)]

    @staticmethod
    def _checked(events: list[Event], concerned: Sequence[Entity], refused: dict[int, str]) -> list[Event]:
        """Return the events in their one form, `NOTHING` for each that cannot be taken. Adds those to `refused`."""
        checked = events
        try:
            for entity in concerned:
                checked = entity.checked(checked)
        except InvalidInput:
            checked = []
            for index, event in enumerate(events):
                alone: list[Event] = [event]
                try:
                    for entity in concerned:
                        alone = entity.checked(alone)
                except InvalidInput as error:
                    alone = [NOTHING]
                    refused[index] = error.reason
                checked += alone
        return checked

    # What peers compare and pull

    def summary(self, now: float) -> Summary:
        """Return what this node holds. The vector is read first: what it covers is in the digests.

        A node that lately had no room for what peers reported says that it has seen nothing: no peer must take what is
        missing here for ended.
        """
        complete = all(entity.complete for entity in self.entities)
        vector = self.left_out.seen(self.vector(), now) if complete else {}
        members = {name: value for entity in self.entities for name, value in entity.summary(now).items()}
        return Summary(VERSION, self.origin, self.joined, vector, **members, features=NAMES)

    def state(self, name: str, want: Want, now: float) -> State:
        """Return the first of the buckets wanted of an entity, as many as make one answer. Raises InvalidInput for
        another version.

        No peer must take what a node holds for all there is while that node still joins, has missed events, or has yet
        to pull the entity.
        """
        _check_version(want.version)
        entity = self.entity(name)
        features = frozenset(want.features)
        buckets = []
        size = 0
        for bucket in want.buckets:
            copies = entity.copies_for_peer(entity.copies(bucket, now), features)
            buckets.append((bucket, copies))
            size += entity.size(copies)
            if size >= entity.answer_size:
                break
        whole = entity.kept and self.joined and not self.lacks and not self.pending.get(name)
        before = entity.copies_for_peer(entity.before(now), features)
        return State(VERSION, buckets, before, whole, origin=self.origin)

    def entity(self, name: str) -> Entity:
        """Return the entity of this name."""
        return next(entity for entity in self.entities if entity.name == name)

    def merge(self, entity: Entity, state: State, vector: Mapping[str, int], now: float, wall_ns: int) -> Iterator[int]:
        """Merge buckets of a peer that had seen `vector` before it read them, step by step. Yields how much each step
        changed."""
        return entity.merge(state, vector, self.vector(), now, wall_ns)

    def meet(self, summary: Summary, now: float) -> None:
        """Take in what a peer's Summary says by itself."""
        for entity in self.entities:
            entity.meet(summary, now)

    def adopt(self, summary: Summary, peer: str) -> None:
        """Raise our watermarks to a peer's, after all buckets of the compared entities were merged. The others are
        still to be pulled from it."""
        self.recall(summary.vector)
        self.gaps.discard(node_of(summary.origin))
        for entity in self.pulled_later:
            if entity.kept:
                self.pending[entity.name].add(peer)

    def recall(self, vector: Mapping[str, int]) -> None:
        """Raise our watermarks to what this node, or a peer, had seen. All that it held is merged."""
        for origin, seen in vector.items():
            known = self._watermarks.seen(origin) if origin in self._watermarks else -1
            if origin != self.origin and known < seen <= LATEST_SEQ:
                self._watermarks.advance(origin, seen)

    def forget(self) -> None:
        """Claim to have seen nothing: what was merged so far is not to be believed."""
        self._watermarks.clear()
        self._heard.clear()
        self.gaps.clear()
        self.missing.clear()

    def trust(self) -> None:
        """Take all that is here as it is: a peer that lacks nothing has filled this node."""
        for entity in self.entities:
            entity.trust()

    # What time does

    def hold(self, senders: Iterable[Sender], now: float) -> None:
        """Report to the entities whether some peer and this node may not know all of each other's events."""
        self._watermarks.tick(now)
        behind = self.lacks or (self.log is not None and self.log.behind)
        behind = behind or any(sender.behind or self._silent(sender.origin, now) for sender in senders)
        for entity in self.entities:
            entity.hold(behind, now)

    def gone(self, peer: str, others: Iterable[str]) -> None:
        """Note that a peer has left. The others may hold what was still to be pulled from it."""
        names = list(others)
        for pending in self.pending.values():
            pending.gone(peer, names)

    def trim(self, acknowledged: Iterable[int]) -> None:
        """Let the journal drop what all peers have acknowledged, and the nodes on the log."""
        all_have = min(acknowledged, default=self._journal.latest)
        self._journal.trim(all_have if self.log is None else min(all_have, self.log.acknowledged))

    def _silent(self, origin: str, now: float) -> bool:
        return now - self._heard.get(node_of(origin), -inf) > SILENCE_SECONDS

    def _lifetime_seconds(self) -> float:
        return max((entity.lifetime_seconds for entity in self.entities), default=0.0)

    def _has_records(self, origin: str) -> bool:
        return any(entity.has_records(origin) for entity in self.entities)


def node_of(origin: str) -> str:
    """Return the node whose life an origin is."""
    return origin.rpartition("@")[0]


def _check_push(push: Push, ours: str) -> None:
    """Check what is around a push's events. Raises InvalidInput if it cannot be applied."""
    _check_version(push.version)
    if push.origin == ours:
        raise InvalidInput("origin: this is ourselves")
    if len(push.later_seconds) not in (0, len(push.events)):
        raise InvalidInput("later_seconds: expected one for each event, or none")
    if push.first + len(push.events) > LATEST_SEQ:
        raise InvalidInput(f"first: expected at most {LATEST_SEQ} with the events")
    if push.oldest > LATEST_SEQ:
        raise InvalidInput(f"oldest: expected at most {LATEST_SEQ}")


def _check_version(version: int) -> None:
    if version != VERSION:
        raise InvalidInput(f"version: expected {VERSION}, got {version}")

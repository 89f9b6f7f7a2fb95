# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Pulling from one peer, slice by slice: the one way for all entities. Pure: the caller carries the messages.

Owned by the event loop. Why a pull is made says which entities it takes:

- A repair takes the buckets of the compared entities that differ. It adopts nothing.
- A whole pull takes every bucket of the compared entities, tombstones and stubs too. It ends with the peer's watermarks
  adopted. That is how a node joins, and how it makes up for events that no peer can push any more.
- A pull of an entity that is not compared takes every bucket of it, and was pending since a whole pull.

All answers of a pull are of one life of the peer. What a Summary covers is in the buckets of the life that gave it. The
next life may lack some of that: it would be taken for ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from edge.errors import InvalidInput
from replication.buckets import State, Want
from replication.entities import Summary
from replication.entity import Entity
from replication.features import NAMES
from replication.paths import VERSION
from replication.replica import Replica

NO_SUSPECTS: Mapping[str, frozenset[int]] = MappingProxyType({})


class Pull:
    """One pull of some entities, all of them compared or none. First `begin`, then `want` and `take` in turn until
    `want` returns None, then `done`. In any case `close`.

    `suspects`: of a repair, the buckets that differed the last time too, by entity. Under load some always differ for
    the moment that events are under way; those that differ twice running are looked at.
    `differing`: the buckets that differ this time, by entity.
    `changed`: how much was changed here so far.
    """

    def __init__(
        self,
        replica: Replica,
        entities: Sequence[Entity],
        peer: str,
        *,
        whole: bool = True,
        suspects: Mapping[str, frozenset[int]] = NO_SUSPECTS,
    ) -> None:
        self._replica = replica
        self._entities = entities
        self._peer = peer
        self._whole = whole
        self._suspects = suspects
        self._summary: Summary | None = None
        self._wanted: list[tuple[Entity, list[int]]] = []
        self._pending = [replica.pending[entity.name] for entity in entities if not entity.compared]
        self._life = ""  # the peer's origin, as its first answer said
        self._all_whole = True  # whether no answer said that the peer lacks something
        self._open = False
        self.differing: dict[str, frozenset[int]] = {}
        self.changed = 0

    @property
    def compares(self) -> bool:
        """Whether it begins with the peer's Summary."""
        return any(entity.compared for entity in self._entities)

    @property
    def fills(self) -> bool:
        """Whether all that the peer holds of the compared entities is in when it is done."""
        return self._whole and self.compares

    @property
    def left(self) -> int:
        """Buckets still to come."""
        return sum(len(buckets) for _, buckets in self._wanted)

    @property
    def entity(self) -> Entity:
        """The entity that is wanted now."""
        return self._wanted[0][0]

    @property
    def what(self) -> str:
        """What is pulled, for logs."""
        return ", ".join(entity.name for entity in self._entities)

    def report(self, seconds: float) -> str:
        """Return what a finished pull did, for logs; empty for a repair that changed nothing."""
        unit = self._entities[0].unit
        if not self.compares:
            return f"pulled {self.changed} {unit}"
        if self._whole:
            return f"pulled everything in {seconds:.2f} s"
        return f"{self.changed} {unit} differed and were mended" if self.changed else ""

    def begin(self, summary: Summary | None, now: float) -> None:
        """Decide what is wanted. A pull that compares is given the peer's Summary, taken before anything else of it."""
        self._summary = summary
        if summary is not None:
            self._life = summary.origin
            self._replica.meet(summary, now)
            self.differing = {entity.name: frozenset(entity.differing(summary)) for entity in self._entities}
        for entity in self._entities:
            if self._whole:
                buckets = list(range(entity.buckets))
            else:
                buckets = sorted(self.differing[entity.name] & self._suspects.get(entity.name, frozenset()))
            if buckets:
                self._wanted.append((entity, buckets))
        for pending in self._pending:
            pending.begin(self._peer)
        self._open = True

    def want(self) -> Want | None:
        """Return what to ask for next, of `entity`; None when all is in."""
        return Want(VERSION, self._wanted[0][1], NAMES) if self._wanted else None

    def take(self, state: State, now: float, wall_ns: int) -> Iterator[int]:
        """Merge the answer to the last want, step by step. Yields how much each step changed. Raises InvalidInput for
        an answer that brings none of the buckets wanted, or others, and for one of another life of the peer.
        """
        want = self.want()
        assert want is not None
        self._check_life(state)
        rest = want.rest(state)
        self._all_whole = self._all_whole and state.whole
        vector: Mapping[str, int] = {}
        if self._summary is not None:
            vector = self._summary.vector
            state = replace(state, features=frozenset(self._summary.features))
        for changed in self._replica.merge(self.entity, state, vector, now, wall_ns):
            self.changed += changed
            yield changed
        if rest:
            self._wanted[0] = self.entity, rest
        else:
            del self._wanted[0]

    def _check_life(self, state: State) -> None:
        """Raise InvalidInput if another life of the peer gave the answers before. A node of the first release does not
        say whose its answer is."""
        if not state.origin:
            return
        if self._life and state.origin != self._life:
            raise InvalidInput("state: the peer has started anew since the pull began")
        self._life = state.origin

    def done(self, others: Iterable[str]) -> None:
        """Conclude: all is in. The others are peers that may have what this one lacks."""
        if self._whole and self._summary is not None:
            self._replica.adopt(self._summary, self._peer)
        self._conclude(others, whole=self._all_whole)

    def give_up(self, others: Iterable[str]) -> None:
        """Conclude: the peer has nothing to give. The others may have it."""
        self._conclude(others, whole=False)

    def close(self) -> None:
        """End, one way or the other. What is not concluded by then is pending as before."""
        if self._open:
            self._open = False
            for pending in self._pending:
                pending.failed(self._peer)

    def _conclude(self, others: Iterable[str], *, whole: bool) -> None:
        names = list(others)
        self._open = False
        for pending in self._pending:
            pending.pulled(self._peer, names, whole=whole)

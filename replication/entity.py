# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a kind of replicated data says of itself. One mechanism pushes, compares, pulls and merges all kinds.

Pure: no network, no clock. Called on the event loop; what an entity keeps its data in may be used by other threads.

An entity's events travel in the journal's pushes. They may be applied in any order and twice. An entity's data is
divided into buckets, which peers ask for at its path. How it takes part in pulls follows from one property, `compared`:

- A compared entity reports digests of its buckets in the Summary. What differs twice running is repaired bucket by
  bucket. A whole pull takes all its buckets before the peer's watermarks are adopted.
- Any other entity is pulled whole, after a whole pull of the compared ones has adopted the peer's watermarks. Until it
  is in, that pull is pending (`pending.py`). Nothing waits for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar, NamedTuple

from replication.buckets import Layout, State
from replication.former_life import FormerLife


class EventBatch(NamedTuple):
    """Events that a peer pushed, of all entities, as they are applied.

    `events`: in the order of their numbers.
    `origin`: whose events they are.
    `first`: the number of the first.
    `age_seconds`: how long ago the first was taken.
    `later_seconds`: how many seconds after the first each was taken; empty if all were within one.
    """

    events: Sequence[Any]
    origin: str
    first: int
    age_seconds: float
    later_seconds: Sequence[int] = ()


class Entity(ABC):
    """One kind of replicated data.

    `name`: what logs call it, and what it is found by.
    `path`: where peers ask for its buckets.
    `unit`: what logs count when something of it changed.
    `buckets`: how many buckets it has.
    `layout`: how its Want and State travel.
    `events`: the types of its events.
    `answer_size`: when an answer is full, in what `size` counts.
    `compared`: whether it has digests in the Summary and is repaired by them; see the module.
    `stepwise`: whether the loop may turn between two steps of a merge.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    unit: ClassVar[str]
    buckets: ClassVar[int]
    layout: ClassVar[Layout]
    events: ClassVar[frozenset[type]]
    answer_size: ClassVar[int]
    compared: ClassVar[bool]
    stepwise: ClassVar[bool]

    # What peers push

    @abstractmethod
    def checked(self, events: list[Any]) -> list[Any]:
        """Return the events, this entity's own in their one form. Raises InvalidInput if one is wrong: then each is
        checked by itself, and the wrong ones are left out."""

    @abstractmethod
    def apply(self, batch: EventBatch, now: float, wall_ns: int) -> None:
        """Take in this entity's own events of a batch, as `checked` returned them."""

    def for_peer(self, event: Any, features: Set[str]) -> Any:
        """Return one of this entity's events as a peer with these features understands it. What cannot be said to it
        becomes `NOTHING`."""
        return event

    # What peers pull

    @abstractmethod
    def copies(self, bucket: int, now: float) -> Sequence[Any]:
        """Return all that a bucket holds, as it travels."""

    def size(self, copies: Sequence[Any]) -> int:
        """Return how much of an answer these copies take."""
        return len(copies)

    def copies_for_peer(self, copies: Sequence[Any], features: Set[str]) -> Sequence[Any]:
        """Return copies, or what comes before them, as a peer with these features understands them. What cannot be
        said to it is left out.

        A new member at the end of a copy needs nothing here: older nodes ignore it.
        """
        return copies

    def before(self, now: float) -> Sequence[Any]:
        """Return what a peer must merge before any bucket."""
        return ()

    @abstractmethod
    def merge(
        self, state: State, theirs: Mapping[str, int], ours: Mapping[str, int], now: float, wall_ns: int
    ) -> Iterator[int]:
        """Merge a peer's buckets in steps. Yields for each step how much changed here. Raises InvalidInput for a wrong
        copy.

        `theirs` is the vector that the peer had seen before it read the buckets, `ours` this node's own vector.
        """

    # What peers compare

    def digests(self) -> Sequence[int]:
        """Return the digests of the buckets, if it is compared."""
        return ()

    def summary(self, now: float) -> dict[str, Any]:
        """Return the members of the Summary that are this entity's."""
        return {}

    def meet(self, summary: Any, now: float) -> None:  # noqa: B027 most have nothing to do
        """Take in what a peer's Summary says by itself."""

    def differing(self, summary: Any) -> set[int]:
        """Return the buckets whose digests in a peer's Summary are not ours."""
        return set()

    # What outlives this node

    def doubted(self, bucket: int, now: float) -> dict[str, int]:
        """Return which items of a bucket may be over although they are here, and for how many seconds they stay."""
        return {}

    def resume(self, life: FormerLife, now: float) -> int:
        """Go on from what a former life of this node left, once all of it is merged. Returns how many items got a dot
        of the life's."""
        return 0

    def trust(self) -> None:  # noqa: B027 most doubt nothing
        """Take all that is here as it is: a peer that lacks nothing has filled this node."""

    # How it is with this node

    @property
    def complete(self) -> bool:
        """Whether all that peers reported is in. If not, this node's watermarks must not be believed."""
        return True

    @property
    def kept(self) -> bool:
        """Whether this node keeps any of it. If not, nothing is pulled."""
        return True

    @property
    def lifetime_seconds(self) -> float:
        """How long what one event reported may live here. Until then peers are not told that a left-out one was
        seen."""
        return 0.0

    def has_records(self, origin: str) -> bool:
        """Return whether something is here that is known under a dot of an origin."""
        return False

    def hold(self, behind: bool, now: float) -> None:  # noqa: B027 most have nothing to do
        """React to whether some peer and this node may not know all of each other's events."""

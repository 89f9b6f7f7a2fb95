# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests among nodes: the load ledger as a replicated entity.

Pure: no network, no clock. Called on the event loop; the ledger may be used by other threads. Records are compared by
digests and merged by the rule of dots and vectors (`docs/protocol.md`, "Merging a bucket").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, ClassVar, Protocol

from msgspec import Meta
from msgspec.structs import replace

from loadstats.ledger import (
    BUCKETS,
    Added,
    Beat,
    Cause,
    Done,
    Dropped,
    FirstToken,
    FromIncarnation,
    Ledger,
    RequestCopy,
    RequestRefreshed,
    TokensCounted,
)
from replication.buckets import Layout, State
from replication.entity import Entity, EventBatch
from replication.features import ATTEMPTS, CAUSES, INCARNATIONS
from replication.former_life import FormerLife

RequestEvent = Added | FirstToken | Done | TokensCounted | RequestRefreshed | Beat | Dropped | FromIncarnation

NAMING = frozenset({Added, Dropped, RequestCopy})
"""What names an engine."""

Digests = Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=BUCKETS, max_length=BUCKETS)]
OwnerName = Annotated[str, Meta(min_length=1, max_length=256)]
Heard = tuple[Annotated[int, Meta(ge=1, le=2**53)], Annotated[int, Meta(ge=-(2**31), le=86_401)]]
"""When an owner last said that it lives, in wall-clock ms; for how many seconds that holds, below 0 if it is over."""
Owners = Annotated[dict[OwnerName, Heard], Meta(max_length=100_000)]
IncarnationName = Annotated[str, Meta(min_length=1, max_length=64)]
Seen = tuple[
    Annotated[int, Meta(ge=-(2**31), le=2**31)],
    Annotated[dict[IncarnationName, Annotated[int, Meta(ge=1, le=2**53)]], Meta(max_length=64)],
]
"""For how many seconds an owner's incarnations are remembered, and when each was first seen, in wall-clock ms."""
OwnerIncarnations = Annotated[dict[OwnerName, Seen], Meta(max_length=100_000)]


class RequestSummary(Protocol):
    """What a Summary says of requests."""

    @property
    def digests(self) -> list[int]: ...

    @property
    def owners(self) -> dict[str, tuple[int, int]]: ...

    @property
    def incarnations(self) -> dict[str, tuple[int, dict[str, int]]]: ...


class ReplicatedRequests(Entity):
    """The records of a ledger.

    `engine_name` returns an engine's name in its one form, whatever a peer calls it. It raises InvalidInput for what is
    no engine's name, as for clients.
    """

    name = "requests"
    path = "/v1/replica/state"
    unit = "records"
    buckets = BUCKETS
    layout = Layout(RequestCopy, BUCKETS)
    events: ClassVar[frozenset[type]] = frozenset(
        {Added, FirstToken, Done, TokensCounted, RequestRefreshed, Beat, Dropped, FromIncarnation}
    )
    answer_size = 512  # records: they take about 1 ms to gather and as long to merge
    compared = True
    stepwise = False  # an answer is merged as of one vector of ours

    def __init__(self, ledger: Ledger, engine_name: Callable[[str], str]) -> None:
        self._replica = ledger.replica
        self._resuming = ledger.resuming
        self._engine_name = engine_name
        self._hold_until = 0.0

    def checked(self, events: list[Any]) -> list[Any]:
        return [self._named(event) for event in events]

    def apply(self, batch: EventBatch, now: float, wall_ns: int) -> None:
        origin = self._replica.origin(batch.origin)
        self._replica.apply(batch.events, origin, batch.first, now, wall_ns, batch.age_seconds, batch.later_seconds)

    def for_peer(self, event: Any, features: Set[str]) -> Any:
        """Return an event as a peer with these features understands it: without its gateway's incarnation, if need be.

        Such a peer ends what a superseded incarnation left once repairs show that others have.
        """
        return event.event if type(event) is FromIncarnation and INCARNATIONS not in features else event

    def copies(self, bucket: int, now: float) -> Sequence[RequestCopy]:
        return self._replica.copies(bucket, now)

    def merge(
        self, state: State, theirs: Mapping[str, int], ours: Mapping[str, int], now: float, wall_ns: int
    ) -> Iterator[int]:
        """Merge all the buckets in one step. Yields how many records changed."""
        buckets = [(bucket, [self._named(copy) for copy in copies]) for bucket, copies in state.buckets]
        causes, attempts = CAUSES in state.features, ATTEMPTS in state.features
        yield sum(
            self._replica.merge(
                bucket,
                copies if causes else [replace(copy, cause=Cause.UNKNOWN) for copy in copies],
                theirs=lambda origin, seq: seq <= theirs.get(origin, 0),
                ours=lambda origin, seq: seq <= ours.get(origin, 0),
                now=now,
                wall_ns=wall_ns,
                attempts=attempts,
            )
            for bucket, copies in buckets
        )

    def _named(self, item: Any) -> Any:
        """Return an event or a copy with its engine's name in its one form. Raises InvalidInput if it is no name."""
        if type(item) is FromIncarnation:
            return replace(item, event=self._named(item.event)) if type(item.event) is Added else item
        if type(item) in NAMING and item.cluster:  # a stub names none
            name = self._engine_name(item.engine)
            if name != item.engine:
                return replace(item, engine=name)
        return item

    def digests(self) -> Sequence[int]:
        return self._replica.digests()

    def summary(self, now: float) -> dict[str, Any]:
        return {
            "digests": self._replica.digests(),
            "owners": self._replica.owners(now),
            "incarnations": self._replica.incarnations(now),
        }

    def meet(self, summary: RequestSummary, now: float) -> None:
        """Take in what a peer knows of gateways."""
        self._replica.merge_owners(summary.owners, now)
        self._replica.merge_incarnations(summary.incarnations, now)

    def differing(self, summary: RequestSummary) -> set[int]:
        ours = self._replica.digests()
        return {
            bucket for bucket, (mine, theirs) in enumerate(zip(ours, summary.digests, strict=True)) if mine != theirs
        }

    def doubted(self, bucket: int, now: float) -> dict[str, int]:
        return self._resuming.doubted(bucket, now)

    def resume(self, life: FormerLife, now: float) -> int:
        if not life.dots:
            self.hold(True, now)  # as the former life did, perhaps: peers may not know all that ended here
        if not life.present:  # else this life may have taken calls already
            self._resuming.begin_counting()
        self._resuming.excuse(life.pause_seconds, now)
        self._resuming.doubt(life.doubted, now, everything=not life.clean, but=life.present)
        return self._resuming.number(self._replica.origin(life.dots)) if life.dots else 0

    def trust(self) -> None:
        self._resuming.trust()

    @property
    def complete(self) -> bool:
        """False for as long as a request may live after the ledger had no room for one."""
        return self._replica.complete

    def has_records(self, origin: str) -> bool:
        return self._replica.has_records(origin)

    @property
    def lifetime_seconds(self) -> float:
        """As long as a request may live."""
        return self._replica.request_seconds

    def hold(self, behind: bool, now: float) -> None:
        """Let tombstones stay while a peer is behind, and for as long again afterwards.

        A request may have been added on both sides of a cut and ended on one: that one's tombstone must still be there
        when the other's add arrives.
        """
        if behind:
            self._hold_until = now + self._replica.tombstone_seconds
        self._replica.holding = now < self._hold_until

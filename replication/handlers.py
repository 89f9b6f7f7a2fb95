# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What peers send, and what operators ask about them.

What touches the replica runs on the event loop, its owner: those calls are internal, and no page leads to them. `event`
and `peers` may be called from any thread. Each entity has one call at its path, for its buckets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, time_ns
from typing import Any, TypeVar

import msgspec
from msgspec import DecodeError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from edge.call import Call, Handler, Route
from edge.errors import InvalidInput
from replication import paths
from replication.admission import Admission
from replication.entity import Entity
from replication.link import PeerLink
from replication.messages import Push
from replication.replica import Replica

MessageT = TypeVar("MessageT", bound=Struct)

_encode = Encoder().encode


class ReplicaHandlers:
    """The calls between nodes.

    `takers` maps the Go version's event types to the handlers of the client calls that they repeat. `links` returns the
    peers as they are. `cold_since` returns since when this node is cold, None if it is not. `now` is monotonic seconds,
    `wall_ns` wall-clock nanoseconds.
    """

    def __init__(
        self,
        replica: Replica,
        admission: Admission,
        links: Callable[[], Sequence[PeerLink]],
        takers: Mapping[str, Handler],
        *,
        cold_since: Callable[[], str | None] = lambda: None,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._replica = replica
        self._guard = admission.guard
        self._links = links
        self._takers = {name.encode(): handler for name, handler in takers.items()}
        self._expected = ", ".join(takers)
        self._cold_since = cold_since
        self._now = now
        self._wall_ns = wall_ns
        self._read_push = Decoder(Push).decode

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("POST", paths.EVENT, self._guard(self.event)),
            Route("POST", paths.PUSH, self._guard(self.push), internal=True),
            Route("POST", paths.SUMMARY, self._guard(self.summary), internal=True),
            *(
                Route("POST", each.path, self._guard(self._state(each)), internal=True)
                for each in self._replica.entities
            ),
            Route("GET", paths.PEERS, self.peers),
        )

    def event(self, call: Call) -> bytes:
        """`POST /v1/replica/event`: a client's call, repeated by a peer of the Go version's kind.

        It does what that call does and is validated in the same way, so that a bad peer cannot harm us. It is not
        passed on to other peers. Only peers and the machine itself may call it.
        """
        taker = self._takers.get(call.headers.get(b"event-type", b""))
        if taker is None:
            raise InvalidInput(f"Event-Type: expected a header with one of {self._expected}")
        return taker(call)

    def push(self, call: Call) -> bytes:
        """`POST /v1/replica/push`: a peer's events, acknowledged by watermark."""
        return _encode(self._replica.take(_read(self._read_push, call.body), self._now(), self._wall_ns()))

    def summary(self, call: Call) -> bytes:
        """`POST /v1/replica/summary`: watermarks and digests."""
        return _encode(self._replica.summary(self._now()))

    def _state(self, entity: Entity) -> Handler:
        """Return the handler of `POST` at an entity's path: whole buckets, compressed. 60 KB become 15 in 0.7 ms."""
        layout = entity.layout

        def state(call: Call) -> bytes:
            want = _read(layout.read_want, call.body)
            return zlib.compress(layout.write_state(self._replica.state(entity.name, want, self._now())), 1)

        return state

    def peers(self, call: Call) -> bytes:
        """`GET /v1/replica/peers`: this node's origin and watermarks, and each peer as it is."""
        return msgspec.json.encode(self.report())

    def report(self) -> dict[str, Any]:
        """Return the same, for pages."""
        now = self._now()
        return {
            "origin": self._replica.origin,
            "joined": self._replica.joined,
            "cold_since": self._cold_since(),
            "vector": self._replica.vector(),
            "peers": [_report(link, now) for link in self._links()],
        }


def _read(decode: Callable[[bytes], MessageT], body: bytes) -> MessageT:
    try:
        return decode(body)
    except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"body: {error}") from None


def _report(link: PeerLink, now: float) -> dict[str, Any]:
    sender = link.sender
    return {
        "peer": link.name,
        "state": sender.state,
        "since_seconds": round(now - sender.since, 3) if sender.since else None,
        "origin": sender.origin,
        "joined": sender.joined,
        "acknowledged": sender.acknowledged,
        "lag_events": sender.lag_events,
        "lag_seconds": round(sender.lag_seconds(now), 6),
        "sent_events": sender.sent_events,
        "lost_events": link.lost_events,
        "pulling_buckets": link.pulling,
        "last_error": sender.last_error,
    }

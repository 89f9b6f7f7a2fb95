# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What peers send, and what operators ask about them.

What touches the replica runs on the event loop, its owner: those calls are internal, and no page leads to them. `event`
and `peers` may be called from any thread. Each entity has one call at its path, for its buckets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from time import monotonic, time_ns
from typing import Any, TypeVar

import msgspec
from msgspec.msgpack import Encoder

from edge.call import Call, Handler, Route
from edge.caller import Scope
from edge.errors import InvalidInput, NotFound
from replication import paths
from replication.admission import Admission
from replication.entity import Entity
from replication.link import PeerLink
from replication.push_reader import UNREADABLE, PushReader
from replication.replica import Replica

MessageT = TypeVar("MessageT")

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
        log: Callable[[], dict[str, Any]] | None = None,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._replica = replica
        self._guard = admission.guard
        self._secret = admission.secret
        self._links = links
        self._takers = {name.encode(): handler for name, handler in takers.items()}
        self._expected = ", ".join(takers)
        self._cold_since = cold_since
        self._log = log
        self._now = now
        self._wall_ns = wall_ns
        self._pushes = PushReader()

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("POST", paths.EVENT, self._guard(self.event, paths.EVENT), scope=Scope.REPLICATE),
            Route(
                "POST",
                paths.PUSH,
                self._guard(self._seen(self.push, "a push is not answered"), paths.PUSH),
                internal=True,
                scope=Scope.REPLICATE,
            ),
            Route(
                "POST",
                paths.SUMMARY,
                self._guard(self._seen(self.summary, "no summary"), paths.SUMMARY),
                internal=True,
                scope=Scope.REPLICATE,
            ),
            *(
                Route(
                    "POST",
                    each.path,
                    self._guard(self._seen(self._state(each), f"no {each.name} given"), each.path),
                    internal=True,
                    scope=Scope.REPLICATE,
                )
                for each in self._replica.entities
            ),
            Route("POST", paths.HELLO, self.hello, internal=True, scope=None),
            Route("GET", paths.PEERS, self.peers, scope=Scope.READ),
        )

    def _seen(self, handler: Handler, what: str) -> Handler:
        """Return the handler so that its failures through a fault of this node are noted."""

        @wraps(handler)
        def seen(call: Call) -> bytes:
            try:
                return handler(call)
            except InvalidInput:
                raise
            except Exception as error:
                self._replica.unanswered.note(what, error, self._now())
                raise

        return seen

    def event(self, call: Call) -> bytes:
        """`POST /v1/replica/event`: a client's call, repeated by a peer of the Go version's kind.

        It does what that call does and is validated in the same way, so that a bad peer cannot harm us. It is not
        passed on to other peers. Only peers and the machine itself may call it.
        """
        taker = self._takers.get(call.headers.get(b"event-type", b""))
        if taker is None:
            raise InvalidInput(f"Event-Type: expected a header with one of {self._expected}")
        return taker(call)

    def hello(self, call: Call) -> bytes:
        """`POST /v1/replica/hello`: a peer is about to prove that it knows the secret. Open to everyone: it gives away
        a number that is new each time, and nothing else."""
        credentials = call.credentials
        if credentials is None:
            raise NotFound("proofs need a connection, which this server does not show")
        welcome = _read(lambda body: self._secret.welcome(body, credentials), call.body)
        if welcome is None:
            raise NotFound("origin: this node's own")
        return welcome

    def push(self, call: Call) -> bytes:
        """`POST /v1/replica/push`: a peer's events, acknowledged by watermark."""
        push, unread = _read(self._pushes.read, call.body)
        return _encode(self._replica.take(push, self._now(), self._wall_ns(), unread))

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
            "left_out_events": self._replica.left_out.events,
            "left_out": [each._asdict() for each in list(self._replica.left_out.latest)],
            "peers": [_report(link, now) for link in self._links()],
            "log": None if self._log is None else self._log(),
        }


def _read(decode: Callable[[bytes], MessageT], body: bytes) -> MessageT:
    try:
        return decode(body)
    except UNREADABLE as error:
        raise InvalidInput(f"body: {error}") from None


def _report(link: PeerLink, now: float) -> dict[str, Any]:
    sender = link.sender
    return {
        "peer": link.name,
        "state": sender.state,
        "since_seconds": round(now - sender.since, 3) if sender.since else None,
        "origin": sender.origin,
        "joined": sender.joined,
        "console_url": sender.console_url,
        "acknowledged": sender.acknowledged,
        "lag_events": sender.lag_events,
        "lag_seconds": round(sender.lag_seconds(now), 6),
        "sent_events": sender.sent_events,
        "lost_events": link.lost_events,
        "pulling_buckets": link.pulling,
        "failed_pulls": link.failed_pulls,
        "refused_events": sender.refused_events,
        "unwritten_pushes": link.unwritten.times,
        "last_error": link.last_error,
    }

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail: who changed the node, or tried to, and from where.

Each line goes to the log, whatever the log's level, and to a sink that keeps it for the admin. Any thread may record;
one lock guards the counts and the limits. Always holds: recording does not wait, and does not raise for anything that
a client sent.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from threading import Lock
from time import monotonic, time
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from edge.call import Call, RefusedParts, Route
from edge.envelope import trace_text
from edge.errors import ContractError
from runtime.logs.formats import one_line

logger = logging.getLogger("audit")

LONGEST_NAME: Final = 256
LONGEST_WHAT: Final = 4096
MOST_ITEMS: Final = 64
MOST_LEVELS: Final = 4
MOST_ACTS: Final = 200
"""Acts that are counted apart. All come from the program's own names; the bound is for what is written later."""
MOST_CLIENTS: Final = 1000
"""Clients whose refused attempts are limited apart from each other's."""
OTHER: Final = "other"


class Outcome(StrEnum):
    """What came of an act."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditLine(Struct, frozen=True):
    """One line of the trail.

    `time`: wall-clock seconds since 1970.
    `act`: what was done, in the program's own words: `DELETE /v1/load/engine`, `end_request`, `user changed`.
    `outcome`: what came of it.
    `who`: `key NAME`, `user NAME`, `certificate NAME`, or `address ADDRESS` of someone who proved nothing more.
    `client`: the address that it came from; empty if it came from none.
    `what`: what it was done to, as JSON of at most `LONGEST_WHAT` characters.
    """

    time: float
    act: str
    outcome: Outcome
    who: str
    client: str
    what: str


class AuditSink(Protocol):
    """Keeps lines. `put` returns at once, from any thread."""

    def put(self, line: AuditLine) -> None: ...


class TokenBucket:
    """At most `burst` at once, and `per_second` in the long run. Guarded by its owner's lock."""

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Return whether one more may pass. `now` in monotonic seconds."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RefusalLimit:
    """How many refused attempts are written down: few of each client, and not too many of all.

    Guarded by its owner's lock. A client that comes back after `MOST_CLIENTS` others begins anew.
    """

    def __init__(self, now: float) -> None:
        self._all = TokenBucket(100, 10, now)
        self._clients: dict[str, TokenBucket] = {}

    def take(self, client: str, now: float) -> bool:
        """Return whether to write down one more attempt of `client`."""
        bucket = self._clients.pop(client, None)
        if bucket is None:
            bucket = TokenBucket(10, 0.2, now)
        self._clients[client] = bucket
        if len(self._clients) > MOST_CLIENTS:
            del self._clients[next(iter(self._clients))]
        return bucket.take(now) and self._all.take(now)


class Audit:
    """Writes the trail.

    `sink`: keeps the lines for people; None if only the log does.
    `clock`: returns wall-clock seconds.
    `now`: returns monotonic seconds.
    """

    def __init__(
        self,
        sink: AuditSink | None = None,
        *,
        clock: Callable[[], float] = time,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._now = now
        self._lock = Lock()
        self._limit = RefusalLimit(now())
        self._unwritten = 0
        self._counts: dict[tuple[str, str], int] = {}

    def record(self, act: str, who: str, client: str, what: Mapping[str, object]) -> None:
        """Write down an act that was done."""
        self._write(act, Outcome.DONE, who, client, what)

    def failed(self, act: str, who: str, client: str, what: Mapping[str, object]) -> None:
        """Write down an act that was allowed and went wrong: some of it may be done."""
        self._write(act, Outcome.FAILED, who, client, what)

    def refused(
        self, act: str, who: str, client: str, what: Mapping[str, object] | Callable[[], Mapping[str, object]]
    ) -> None:
        """Count an attempt that was refused, and write it down unless there were too many.

        The next line that is written says how many were not (`unwritten`). `what` may be a function that returns it:
        it is called only for a line that is written.
        """
        with self._lock:
            if not self._limit.take(client, self._now()):
                self._unwritten += 1
                self._count(act, Outcome.REFUSED)
                return
            unwritten, self._unwritten = self._unwritten, 0
        said = what() if callable(what) else what
        self._write(act, Outcome.REFUSED, who, client, {**said, "unwritten": unwritten} if unwritten else said)

    def call_done(self, route: Route, call: Call, trace_id: bytes, answer: bytes) -> None:
        """Write down a call that changed the node: its route, its body and its answer."""
        self.record(f"{route.method} {route.path}", who_made(call), call.client, _of_call(call, trace_id, answer))

    def call_refused(self, route: Route, call: Call, trace_id: bytes, problem: ContractError) -> None:
        """Write down a call that would have changed the node, and that its caller may not make."""
        self.refused(
            f"{route.method} {route.path}",
            problem.who or who_made(call),
            call.client,
            lambda: {**_of_call(call, trace_id), "reason": problem.reason},
        )

    def parts_refused(self, route: Route, call: Call, trace_id: bytes, parts: RefusedParts) -> None:
        """Write down what of a call its caller may not make: one line, however much it is."""
        what = {"trace_id": trace_text(trace_id), "refused": parts.count, "first": parts.first}
        self.refused(f"{route.method} {route.path}", who_made(call), call.client, what)

    def call_failed(self, route: Route, call: Call, trace_id: bytes) -> None:
        """Write down a call that may have changed the node before it went wrong."""
        self.failed(f"{route.method} {route.path}", who_made(call), call.client, _of_call(call, trace_id))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many there were so far, by act and outcome."""
        with self._lock:
            return dict(self._counts)

    def _count(self, act: str, outcome: Outcome) -> None:
        key = act, str(outcome)
        if key not in self._counts and len(self._counts) >= MOST_ACTS:
            key = OTHER, str(outcome)
        self._counts[key] = self._counts.get(key, 0) + 1

    def _write(self, act: str, outcome: Outcome, who: str, client: str, what: Mapping[str, object]) -> None:
        text = as_json(what)
        line = AuditLine(self._clock(), _name(act), outcome, _name(who), _name(client), text)
        with self._lock:
            self._count(line.act, outcome)
        extra = {
            "act": line.act,
            "outcome": str(outcome),
            "who": line.who,
            "client": line.client,
            "what": msgspec.json.decode(text),
        }
        message = f"{outcome} {json.dumps(line.act)} who={json.dumps(line.who)} client={line.client} what={text}"
        record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None, extra=extra)
        logger.handle(record)  # whatever the log's level
        if self._sink is not None:
            self._sink.put(line)


def who_made(call: Call) -> str:
    """Return the caller's name, or its address if it proved nothing more."""
    return call.caller.name if call.caller is not None else f"address {call.client or 'unknown'}"


def as_json(what: Mapping[str, object]) -> str:
    """Return it as JSON of at most `LONGEST_WHAT` characters: long texts and lists are cut."""
    text = msgspec.json.encode(_bounded(what, MOST_LEVELS)).decode()
    if len(text) > LONGEST_WHAT:
        text = msgspec.json.encode({"cut": text[: LONGEST_WHAT // 3]}).decode()
    return text


def _bounded(value: object, levels: int) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)[:LONGEST_NAME]
    if isinstance(value, Mapping) and levels:
        items = list(value.items())
        kept_items = {_name(str(key)): _bounded(each, levels - 1) for key, each in items[:MOST_ITEMS]}
        return kept_items if len(items) <= MOST_ITEMS else {**kept_items, "more": len(items) - MOST_ITEMS}
    if isinstance(value, list | tuple | set | frozenset) and levels:
        kept = [_bounded(each, levels - 1) for each in list(value)[:MOST_ITEMS]]
        return kept if len(value) <= MOST_ITEMS else [*kept, f"and {len(value) - MOST_ITEMS} more"]
    return _name(str(value))


def _name(text: str) -> str:
    """Return a text of one printable line, cut if it is too long."""
    return one_line(text[:LONGEST_NAME])[: 2 * LONGEST_NAME]


def _of_call(call: Call, trace_id: bytes, answer: bytes = b"") -> dict[str, object]:
    what: dict[str, object] = {"trace_id": trace_text(trace_id)}
    if call.query:
        what["query"] = call.query.decode("utf-8", "replace")
    if call.body:
        what["body"] = _read(call.body)
    if call.acts:
        what["acts"] = call.acts
    if answer:
        what["answer"] = _read(answer)
    if forwarded := call.headers.get(b"x-forwarded-for") or call.headers.get(b"forwarded"):
        what["forwarded_for"] = forwarded.decode("latin-1")  # as the client or a proxy claims
    return what


def _read(body: bytes) -> object:
    """Return a body as what it holds, or its beginning if it is too long to look at or no JSON."""
    if len(body) <= 4 * LONGEST_WHAT:
        try:
            return msgspec.json.decode(body)
        except (ValueError, RecursionError):
            pass
    return body[:LONGEST_NAME].decode("utf-8", "replace")

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls: decode, tell the ledger, answer. Thread-safe; the event loop calls them for gateways, Django's
threads for people."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns
from typing import Protocol

from loadstats.ledger import LedgerFull
from loadstats.wire import Add, Addresses, Body, Ended
from metadata_center.errors import InvalidInput, TooMany
from metadata_center.http.call import NULL, Call, Route, query_value

STATS = "/v1/load/stats"
PROMPT = "/v1/load/prompt"
QUERIES = 4096  # query strings remembered: taking one apart costs 2 µs


class Calls(Protocol):
    """What the handlers need of a ledger."""

    def add(self, request_id: str, cluster: str, ip: str, prompt_length: int, now: float, wall_ns: int) -> object: ...

    def first_token(self, request_id: str, now: float, wall_ns: int) -> object: ...

    def done(self, request_id: str, now: float, wall_ns: int) -> object: ...

    @property
    def answer(self) -> Callable[[str], bytes]: ...


class LoadHandlers:
    """Handlers over one ledger. `now` is monotonic seconds, `wall_ns` wall-clock nanoseconds."""

    def __init__(
        self, ledger: Calls, *, now: Callable[[], float] = monotonic, wall_ns: Callable[[], int] = time_ns
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._wall_ns = wall_ns
        self._read_add = Body(Add).read
        self._read_ended = Body(Ended).read
        self._check_address = Addresses().check
        self._asked: dict[bytes, str] = {}  # clusters by the query strings that name them

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("GET", STATS, self.query),
            Route("POST", STATS, self.add),
            Route("DELETE", STATS, self.done),
            Route("DELETE", PROMPT, self.first_token),
        )

    def query(self, call: Call) -> bytes:
        """`GET /v1/load/stats?cluster=C`: one row per engine of C."""
        cluster = self._asked.get(call.query)
        if cluster is None:
            cluster = query_value(call.query, b"cluster")
            if not cluster:
                raise InvalidInput("cluster: expected a name in the query string, as in ?cluster=NAME")
            if len(self._asked) >= QUERIES:
                self._asked = {}
            self._asked[call.query] = cluster
        return self._ledger.answer(cluster)

    def add(self, call: Call) -> bytes:
        """`POST /v1/load/stats`: a request was sent to an engine."""
        body = self._read_add(call.body)
        call.request_id = body.request_id
        self._check_address(body.ip)
        try:
            self._ledger.add(
                body.request_id, body.cluster, body.ip, body.prompt_length or 0, self._now(), self._wall_ns()
            )
        except LedgerFull as full:
            raise TooMany(f"{full.what}: this node holds its most, {full.cap}") from None
        return NULL

    def first_token(self, call: Call) -> bytes:
        """`DELETE /v1/load/prompt`: a request's prefill is over."""
        body = self._read_ended(call.body)
        call.request_id = body.request_id
        self._ledger.first_token(body.request_id, self._now(), self._wall_ns())
        return NULL

    def done(self, call: Call) -> bytes:
        """`DELETE /v1/load/stats`: a request is over."""
        body = self._read_ended(call.body)
        call.request_id = body.request_id
        self._ledger.done(body.request_id, self._now(), self._wall_ns())
        return NULL

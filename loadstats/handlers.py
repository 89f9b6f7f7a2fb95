# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls: decode, report to the ledger, answer.

Thread-safe; the event loop calls them for gateways, Django's threads for people.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns
from typing import Protocol

from msgspec.json import encode

from edge.addresses import Addresses
from edge.body import Body
from edge.call import NULL, Call, Route
from edge.caller import Caller, Scope
from edge.client import client_of
from edge.errors import Conflict, ContractError, TooMany
from edge.reach import ClusterOf, check_cluster, check_request
from loadstats.ledger import FAILED, GATEWAY, LATEST, EngineName, LedgerFull, Match, Mismatch
from loadstats.query import STATS
from loadstats.wire import Add, Ended, RequestEnd

PROMPT = "/v1/load/prompt"


class Calls(Protocol):
    """What these handlers need of a ledger."""

    def add(
        self,
        request_id: str,
        cluster: str,
        engine: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str,
        match: Match | None,
        *,
        attempt: int,
        incarnation: str,
        client: str,
    ) -> object: ...

    def first_token(self, request_id: str, now: float, wall_ns: int, attempt: int, client: str) -> object: ...

    def done(self, request_id: str, now: float, wall_ns: int, cause: int, *, attempt: int, client: str) -> object: ...

    def cluster_of(self, request_id: str) -> str | None: ...


class LoadHandlers:
    """Handlers over one ledger.

    `ledger`: takes what clients report.
    `now`: returns monotonic seconds.
    `wall_ns`: returns wall-clock nanoseconds.
    """

    def __init__(
        self, ledger: Calls, *, now: Callable[[], float] = monotonic, wall_ns: Callable[[], int] = time_ns
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._wall_ns = wall_ns
        self._read_add = Body(Add).read
        self._read_ended = Body(Ended).read
        self._read_end = Body(RequestEnd).read
        self._canonical = Addresses().canonical

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route("POST", STATS, self.add, scope=Scope.WRITE),
            Route("DELETE", STATS, self.done, scope=Scope.WRITE),
            Route("DELETE", PROMPT, self.first_token, scope=Scope.WRITE),
        )

    def add(self, call: Call) -> bytes:
        """`POST /v1/load/stats`: a request was sent to an engine.

        The engine has one request more, and its `prompt_length` grows. An id that is known already changes nothing and
        is answered 200, even where cluster, engine or length differ. Members that are not named here are ignored.
        With `match` it takes effect only where the engine's row has the given numbers; else the answer is 409, with the
        row as it is in `data`. With an `attempt` that is larger than the known one the request starts again: it counts
        on this engine and no longer on the one before, also after its end. A new `incarnation` of `owner` orphans the
        requests of that gateway's earlier ones; a request of an earlier incarnation is itself orphaned.
        """
        body = self._read_add(call.body)
        call.request_id = body.request_id
        if call.caller is not None and call.caller.clusters:
            check_add(call.caller, body, self._ledger.cluster_of)
        report_add(self._ledger, self._canonical, body, self._now(), self._wall_ns(), client_of(call))
        return NULL

    def first_token(self, call: Call) -> bytes:
        """`DELETE /v1/load/prompt`: a request's prefill is over.

        The engine's `prompt_length` shrinks by the request's, once. An unknown id is answered 200 too and remembered,
        for calls may overtake each other. Members that are not named here are ignored.
        """
        body = self._read_ended(call.body)
        call.request_id = body.request_id
        if call.caller is not None and call.caller.clusters:
            check_request(call.caller, body.request_id, self._ledger.cluster_of)
        self._ledger.first_token(body.request_id, self._now(), self._wall_ns(), body.attempt or LATEST, client_of(call))
        return NULL

    def done(self, call: Call) -> bytes:
        """`DELETE /v1/load/stats`: a request is over.

        The engine has one request less, and its `prompt_length` shrinks by the request's if it was still counted. An
        unknown id is answered 200 too and remembered, for calls may overtake each other. Members that are not named
        here are ignored. With `"outcome":"error"` the engine failed at it: for a while picks leave the engine out, as
        long as there are others.
        """
        body = self._read_end(call.body)
        call.request_id = body.request_id
        if call.caller is not None and call.caller.clusters:
            check_request(call.caller, body.request_id, self._ledger.cluster_of)
        self._ledger.done(
            body.request_id,
            self._now(),
            self._wall_ns(),
            GATEWAY if body.outcome is None else FAILED,
            attempt=body.attempt or LATEST,
            client=client_of(call),
        )
        return NULL


def check_add(caller: Caller, body: Add, cluster_of: ClusterOf) -> None:
    """Raise Forbidden if the caller may not name the cluster of an add, or one that it would take the request from."""
    check_cluster(caller, body.cluster)
    check_request(caller, body.request_id, cluster_of)


def report_add(
    ledger: Calls, canonical: Callable[[str], str], body: Add, now: float, wall_ns: int, client: str
) -> None:
    """Report a client's request to the ledger. Raises ContractError for a wrong address or if the ledger refuses it."""
    engine = canonical(body.ip)
    if body.port is not None or body.dp_rank is not None:
        engine = str(EngineName(engine, body.port, body.dp_rank))
    try:
        ledger.add(
            body.request_id,
            body.cluster,
            engine,
            body.prompt_length or 0,
            now,
            wall_ns,
            body.owner or "",
            body.match,
            attempt=body.attempt or LATEST,
            incarnation=body.incarnation or "",
            client=client,
        )
    except (Mismatch, LedgerFull) as error:
        raise refusal(error) from None


def refusal(error: Mismatch | LedgerFull) -> ContractError:
    """Return the answer for a request that the ledger did not take."""
    if isinstance(error, Mismatch):
        return Conflict("match: the engine's row is another", data=encode(error.row))
    return TooMany(error.reason)

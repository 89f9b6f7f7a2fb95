# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is the load? At once, only if it is another than before, or as soon as it is.

Thread-safe but for what waits: the event loop calls these for gateways, Django's threads for people.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Annotated, NamedTuple

from msgspec import Meta, ValidationError, convert

from edge.body import MAX_NAME, Name
from edge.call import AsyncHandler, Call, NotModified, Route, query_value
from edge.caller import Scope
from edge.errors import InvalidInput
from edge.reach import check_cluster
from loadstats.ledger import LoadReader
from loadstats.waits import Waits

STATS = "/v1/load/stats"
QUERIES = 4096  # query strings remembered: taking one apart costs 2 µs
MAX_WAIT_SECONDS = 60.0

_FULL = {None: False, "": False, "false": False, "true": True}

WaitSeconds = Annotated[float, Meta(gt=0, le=MAX_WAIT_SECONDS, description="how long to wait for a change")]


class AskedLoad(NamedTuple):
    """What a query string asks for.

    `cluster`: the cluster's name.
    `full`: rows have those members of ours that are 0, too.
    """

    cluster: str
    full: bool


class QueryHandlers:
    """Handlers over one ledger's loads.

    `loads`: answers the query.
    `waits`: holds the calls that wait for a change.
    """

    def __init__(self, loads: LoadReader, waits: Waits) -> None:
        self._loads = loads
        self._waits = waits
        self._asked: dict[bytes, AskedLoad] = {}  # by the query strings that ask for it

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route("GET", STATS, self.query, scope=Scope.READ, async_handler=AsyncHandler(self.wait, _waits, idle=True)),
        )

    def query(self, call: Call) -> bytes:
        """`GET /v1/load/stats?cluster=C`: the load of a cluster's engines, a row each.

        In no particular order, and null for a cluster without engines. An engine that has gone quiet stays listed with
        zeros until `RequestExpire` after its last call.

        A row always has `ip`, `queued_req_num`, `prompt_length` and `updated_time`, and of the other numbers those that
        are not 0: absent means 0. With `full=true` it has all of them.

        The `ETag` names this answer of this node. With it in `If-None-Match` the call is answered 304, without a body,
        as long as it would be the same. With `wait` it is answered when it is another than that, or than at the time of
        the call where there is no `If-None-Match`; after `wait` seconds it is answered in any case.
        """
        cluster, full = self._asked_load(call.query)
        if call.caller is not None and call.caller.clusters:
            check_cluster(call.caller, cluster)
        answer, call.etag = self._loads.tagged_answer(cluster, full=full)
        known = call.headers.get(b"if-none-match")
        if known is not None and _names(known, call.etag):
            raise NotModified
        return answer

    async def wait(self, call: Call) -> bytes:
        """Answer the same, once there is something new or the time is over."""
        cluster = self._asked_load(call.query).cluster
        if call.caller is not None:
            check_cluster(call.caller, cluster)
        seconds = _seconds(call.query)
        tag = self._loads.tagged_answer(cluster)[1]
        known = call.headers.get(b"if-none-match")
        if known is None or _names(known, tag):
            began = perf_counter_ns()
            await self._waits.change(cluster, tag, seconds, call.caller)
            call.waited_ns = perf_counter_ns() - began
        return self.query(call)

    def _asked_load(self, query: bytes) -> AskedLoad:
        asked = self._asked.get(query)
        if asked is None:
            try:
                cluster = convert(query_value(query, b"cluster"), Name)
            except ValidationError:
                raise InvalidInput(
                    f"cluster: expected a name of 1 to {MAX_NAME} characters in the query string, as in ?cluster=NAME"
                ) from None
            if len(self._asked) >= QUERIES:
                self._asked = {}
            asked = self._asked[query] = AskedLoad(cluster, _is_full(query))
        return asked


def _names(known: bytes, tag: bytes) -> bool:
    """Return whether this tag is among those of an `If-None-Match`. Weak and strong tags compare as equal."""
    return b'"%b"' % tag in known or known == b"*"


def _is_full(query: bytes) -> bool:
    text = query_value(query, b"full")
    try:
        return _FULL[text]
    except KeyError:
        raise InvalidInput(f"full: expected true or false, got {(text or '')[:80]!r}") from None


def _waits(query: bytes, size: int) -> bool:
    """Return whether a call has a `wait`, readable or not."""
    try:
        return bool(query_value(query, b"wait"))
    except InvalidInput:
        return True


def _seconds(query: bytes) -> float:
    text = query_value(query, b"wait") or ""
    try:
        return convert(text, WaitSeconds, strict=False)
    except ValidationError:
        raise InvalidInput(
            f"wait: expected seconds, more than 0 and at most {MAX_WAIT_SECONDS:g}, got {text[:80]!r}"
        ) from None

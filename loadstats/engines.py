# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls about engines as such: which clusters have any, and what an engine's restart means. Thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import count
from time import monotonic, time_ns
from typing import Annotated

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import encode

from edge.addresses import Addresses
from edge.body import MAX_NAME, Body, DpRank, EngineAddress, Name, Port
from edge.call import AsyncHandler, Call, Route, query_value
from edge.caller import Caller, Scope
from edge.cooperative import run_in_slices, run_whole
from edge.errors import InvalidInput, NotFound
from edge.reach import check_cluster, within
from loadstats.ledger import EngineName, Ledger

ENGINE = "/v1/load/engine"
CLUSTERS = "/v1/load/clusters"
MAX_CLUSTERS = 1000  # of one answer: 2 ms
LOOKS = 8  # buckets of records looked through in one slice: 0.4 ms where there are a million


class EngineDrop(Struct):
    """`DELETE /v1/load/engine`: an engine, as its requests named it, or `all` of the address."""

    cluster: Name
    ip: EngineAddress
    port: Port | None = None
    dp_rank: DpRank | None = None
    all: Annotated[bool, Meta(description="every engine of the address, whatever its port and rank")] = False


class Cleared(Struct):
    """What came of dropping an engine."""

    ended: Annotated[int, Meta(ge=0, description="requests that were in flight on it")]


Limit = Annotated[int, Meta(ge=1, le=MAX_CLUSTERS, description="rows at most")]


class EngineHandlers:
    """Handlers over one ledger.

    `ledger`: takes what clients report.
    `now`: returns monotonic seconds.
    `wall_ns`: returns wall-clock nanoseconds.
    """

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], float] = monotonic, wall_ns: Callable[[], int] = time_ns
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._wall_ns = wall_ns
        self._read_drop = Body(EngineDrop).read
        self._canonical = Addresses().canonical

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route(
                "DELETE",
                ENGINE,
                run_whole(self.drop),
                async_handler=AsyncHandler(run_in_slices(self.drop)),
                scope=Scope.OPERATE,
            ),
            Route(
                "GET",
                CLUSTERS,
                run_whole(self.clusters),
                async_handler=AsyncHandler(run_in_slices(self.clusters)),
                scope=Scope.READ,
            ),
        )

    def drop(self, call: Call) -> Generator[None, None, bytes]:
        """`DELETE /v1/load/engine`: an engine was restarted, or is gone.

        It is no longer listed, its requests are ended, and what its cache held is forgotten, on every node. A request
        that is sent to it later opens it anew. An engine that is not listed is answered 404. `ip` alone is the engine
        without port and rank; with `all` it is every engine of that address.
        """
        body = self._read_drop(call.body)
        if call.caller is not None:
            check_cluster(call.caller, body.cluster)
        ended = drop_engines(self._ledger, self._canonical, body)
        for looks in count(1):
            if not self._ledger.lapse(self._now(), self._wall_ns()):
                break
            if looks % LOOKS == 0:
                yield
        return encode(Cleared(ended))

    def clusters(self, call: Call) -> Generator[None, None, bytes]:
        """`GET /v1/load/clusters`: the clusters that have engines, and what these add up to.

        By name, the first `limit` after the name `after`; the next ones are those after the last name of the answer. An
        empty answer is the end. A key that may name only some clusters gets those.
        """
        after = query_value(call.query, b"after") or ""
        if len(after) > MAX_NAME:
            raise InvalidInput(f"after: expected a name of at most {MAX_NAME} characters")
        names = yield from self._names(after, _limit(call.query), call.caller)
        rows = yield from self._ledger.loads.totals(names)
        return encode(rows)

    def _names(self, after: str, limit: int, caller: Caller | None) -> Generator[None, None, list[str]]:
        """Return the next clusters by name that the caller may name."""
        if caller is None or not caller.clusters:
            return (yield from self._ledger.loads.clusters_after(after, limit))
        found: list[str] = []
        while len(found) < limit:
            names = yield from self._ledger.loads.clusters_after(after, MAX_CLUSTERS)
            if not names:
                break
            found += within(caller, names)
            after = names[-1]
        return found[:limit]


def drop_engines(ledger: Ledger, canonical: Callable[[str], str], body: EngineDrop) -> int:
    """Drop the engine that a body names, or all of its address. Returns how many requests were in flight there.

    They are no longer listed. `Ledger.lapse` ends the requests. Raises InvalidInput for a wrong body, and NotFound if
    there is no such engine.
    """
    ip = canonical(body.ip)
    if body.all:
        if body.port is not None or body.dp_rank is not None:
            raise InvalidInput("all: expected neither port nor dp_rank beside it")
        names = ledger.loads.names_at(body.cluster, ip)
        missing = f"no engine at {ip}"
    else:
        names = [str(EngineName(ip, body.port, body.dp_rank))]
        missing = f"no engine {names[0]}"
    ended = [dropped for name in names if (dropped := ledger.drop(body.cluster, name)) is not None]
    if not ended:
        raise NotFound(f"ip: cluster {body.cluster!r} has {missing}")
    return sum(ended)


def _limit(query: bytes) -> int:
    text = query_value(query, b"limit")
    if not text:
        return MAX_CLUSTERS
    try:
        return convert(text, Limit, strict=False)
    except ValidationError:
        raise InvalidInput(f"limit: expected 1 to {MAX_CLUSTERS}, got {text[:80]!r}") from None

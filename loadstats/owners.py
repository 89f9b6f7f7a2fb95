# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls about gateways: what each has in flight, and the end of all that one has. Thread-safe.

Both look at every record, in slices. What they list is from a census that all callers share.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic, time_ns
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import encode

from edge.body import Body, Name
from edge.call import AsyncHandler, Call, Route, query_value
from edge.caller import Caller, Scope
from edge.cooperative import run_in_slices, run_whole
from edge.errors import InvalidInput
from edge.reach import check_cluster
from loadstats.bulk_end import count_requests, end_requests
from loadstats.gateway_view import ORDERS, Count, GatewayCursor, GatewayOrder, GatewayView, Order
from loadstats.keepalive import OWNER
from loadstats.ledger import IN_FLIGHT, Filter, Ledger
from loadstats.shared_census import SharedCensus

OWNERS = "/v1/load/owners"
MOST = 1000  # gateways of one answer
USUAL = 100
USUAL_ORDER: Order = "requests"

Limit = Annotated[int, Meta(ge=1, le=MOST, description="gateways at most")]
T = TypeVar("T")


class GatewayPage(Struct, frozen=True):
    """Some gateways, in the order that was asked for.

    `owners`: the gateways.
    `next`: what `after` has to be for those that follow; null at the end.
    `total`: how many there are in all.
    `requests`: what these have in flight in all.
    `age_seconds`: how old the numbers are: they are taken anew after a second or, if there are many requests, ten times
    as long as it took to take them.
    `node`: which node answers.
    """

    owners: list[GatewayView]
    next: str | None
    total: Count
    requests: Count
    age_seconds: Annotated[float, Meta(ge=0)]
    node: str


class OwnerEnd(Struct):
    """`DELETE /v1/load/owner`: end all requests of a gateway. `owner` and `kind` are as in the list of gateways."""

    owner: Name
    kind: Annotated[
        Literal["owner", "client"],
        Meta(description="what `owner` is: a gateway's name, or a client that reported requests without an owner"),
    ] = "owner"
    dry_run: Annotated[bool, Meta(description="count the requests, and end none")] = False


class OwnerEnded(Struct):
    """What came of it.

    `requests`: how many it had in flight.
    `ended`: how many of them were ended.
    """

    requests: Count
    ended: Count


class OwnerHandlers:
    """Handlers over one ledger.

    `census`: the census that all share.
    `node`: this node's name, for answers.
    `now`: returns monotonic seconds.
    `wall_ns`: returns wall-clock nanoseconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        census: SharedCensus,
        node: str,
        *,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._ledger = ledger
        self._census = census
        self._node = node
        self._now = now
        self._wall_ns = wall_ns
        self._read_end = Body(OwnerEnd).read

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route(
                "GET",
                OWNERS,
                run_whole(self.owners),
                async_handler=AsyncHandler(run_in_slices(self.owners)),
                scope=Scope.READ,
            ),
            Route(
                "DELETE",
                OWNER,
                run_whole(self.end),
                async_handler=AsyncHandler(run_in_slices(self.end)),
                scope=Scope.OPERATE,
            ),
        )

    def owners(self, call: Call) -> Generator[None, None, bytes]:
        """`GET /v1/load/owners`: the gateways, and what each has in flight.

        `order` is what comes first: most `requests`, the `oldest` request, most `orphans`, the longest `silent`, most
        requests that `expired`. The next ones are those after `next` of the answer. With `cluster` only the requests in
        it count, and only gateways with such requests are listed. `owner` lists those of one name alone. A key that may
        name only some clusters sees those.
        Requests without an owner are listed under the client of this node that reported them, or under the node that
        took them: that node knows their client.
        """
        order = _read(call.query, "order", Order, USUAL_ORDER, ", ".join(ORDERS))
        limit = _read(call.query, "limit", Limit, USUAL, f"1 to {MOST}")
        cluster = _read(call.query, "cluster", Name, "", "a name of 1 to 256 characters")
        owner = _read(call.query, "owner", Name, "", "a name of 1 to 256 characters")
        after = query_value(call.query, b"after")
        cursor = GatewayCursor.read(after) if after else None
        if cluster and call.caller is not None:
            check_cluster(call.caller, cluster)
        census, age_seconds = yield from self._census.latest()
        ordered = GatewayOrder(census, order, self._wall_ns() // 1_000_000, _wanted(cluster, call.caller), owner)
        shown, following, total, requests = yield from ordered.after(cursor, limit)
        next_ = None if following is None else str(following)
        return encode(GatewayPage(shown, next_, total, requests, round(age_seconds, 3), self._node))

    def end(self, call: Call) -> Generator[None, None, bytes]:
        """`DELETE /v1/load/owner`: end all requests that a gateway has in flight, as if it had reported their ends.

        With `dry_run` they are counted only. It ends what the gateway had when the call came. A second call finds
        nothing left and is answered 200 as well, and so is one for an unknown gateway.
        """
        body = self._read_end(call.body)
        if body.kind == "owner":
            filter_ = Filter(phases=IN_FLIGHT, owner=body.owner)
        else:
            filter_ = Filter(phases=IN_FLIGHT, client=body.owner)
        began = self._now()
        caller = call.caller
        requests = yield from count_requests(
            self._ledger,
            filter_,
            began,
            look=None if caller is None or not caller.clusters else lambda view: check_cluster(caller, view.cluster),
        )
        ended = 0
        if requests and not body.dry_run:
            ended = yield from end_requests(self._ledger, filter_, began, now=self._now, wall_ns=self._wall_ns)
            self._census.renew()
        return encode(OwnerEnded(requests, ended))


def _wanted(cluster: str, caller: Caller | None) -> Callable[[str], bool] | None:
    """Return which clusters count; None for all."""
    if cluster:
        return cluster.__eq__
    return caller.may_name if caller is not None and caller.clusters else None


def _read(query: bytes, name: str, type_: Any, default: T, expected: str) -> T:
    """Return a member of the query string. Raises InvalidInput if it is not what is expected."""
    text = query_value(query, name.encode())
    if text is None:
        return default
    try:
        found: T = convert(text, type_, strict=False)
    except ValidationError:
        raise InvalidInput(f"{name}: expected {expected}, got {text[:80]!r}") from None
    return found

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients report of requests under way: tokens, that they still run, and that their gateway lives.

Thread-safe; the event loop calls these for gateways, Django's threads for people.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns

from msgspec.json import encode

from edge.body import Body
from edge.call import NULL, Call, Route
from edge.caller import Scope
from edge.client import client_of
from edge.errors import InvalidInput, TooMany
from edge.reach import check_cluster, check_request
from loadstats.ledger import LATEST, Ledger, LedgerFull
from loadstats.wire import Heartbeat, Refresh, Refreshed, Tokens

TOKENS = "/v1/load/tokens"
REFRESH = "/v1/load/refresh"
OWNER = "/v1/load/owner"


class KeepAliveHandlers:
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
        self._read_tokens = Body(Tokens).read
        self._read_refresh = Body(Refresh).read
        self._read_heartbeat = Body(Heartbeat).read

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route("PUT", TOKENS, self.tokens, scope=Scope.WRITE),
            Route("PUT", REFRESH, self.refresh, scope=Scope.WRITE),
            Route("PUT", OWNER, self.heartbeat, scope=Scope.WRITE),
        )

    def tokens(self, call: Call) -> bytes:
        """`PUT /v1/load/tokens`: the tokens that a request holds on its engine.

        Absolute values: of two calls the larger value stands, whichever came first. They count in the engine's
        `token_num` until the request is over. An unknown id is answered 200 too and remembered, for calls may overtake
        each other.
        """
        body = self._read_tokens(call.body)
        call.request_id = body.request_id
        if call.caller is not None:
            check_request(call.caller, body.request_id, self._ledger.cluster_of)
        self._ledger.tokens(
            body.request_id,
            body.input_tokens,
            body.output_tokens,
            self._now(),
            self._wall_ns(),
            body.attempt or LATEST,
            client_of(call),
        )
        return NULL

    def refresh(self, call: Call) -> bytes:
        """`PUT /v1/load/refresh`: requests are still running.

        Each expires as late as one that began now. Those that this node does not know, or knows to be over, are named
        in the answer; a gateway that gets its own back reports their start anew. So is one that is in another attempt
        than `attempt` says.
        """
        body = self._read_refresh(call.body)
        ids = [(each, LATEST) for each in body.request_ids]
        if body.request_id is not None:
            ids.insert(0, (body.request_id, body.attempt or LATEST))
        elif body.attempt is not None:
            raise InvalidInput("attempt: expected request_id beside it, for it is the attempt of that one")
        if not ids:
            raise InvalidInput("request_ids: expected at least one, here or in request_id")
        call.request_id = ids[0][0]
        if call.caller is not None:
            for each, _ in ids:
                check_request(call.caller, each, self._ledger.cluster_of)
        now, wall_ns = self._now(), self._wall_ns()
        refresh = self._ledger.refresh
        return encode(Refreshed([each for each, attempt in ids if not refresh(each, now, wall_ns, attempt)]))

    def heartbeat(self, call: Call) -> bytes:
        """`PUT /v1/load/owner`: a gateway's heartbeat.

        Until `ttl_seconds` from now none of the requests expires whose start named it as `owner`. When no heartbeat
        comes in time, they count as `orphaned_req_num` too, and are ended `OrphanGrace` later; a heartbeat before that
        takes them back.
        A gateway without requests is forgotten two minutes after its last heartbeat, whatever `ttl_seconds` says.
        With an `incarnation` that is new, the gateway has started anew: the requests whose start named another one are
        orphaned at once, and ended `OrphanGrace` later. A heartbeat of an incarnation that has given way to a later one
        is answered 200 and changes nothing.
        """
        body = self._read_heartbeat(call.body)
        if call.caller is not None and call.caller.clusters:
            for cluster in self._ledger.requests.clusters_of_owner(body.owner):
                check_cluster(call.caller, cluster)
        try:
            self._ledger.beat(
                body.owner, body.ttl_seconds, self._now(), self._wall_ns(), body.incarnation or "", client_of(call)
            )
        except LedgerFull as full:
            raise TooMany(full.reason) from None
        return NULL

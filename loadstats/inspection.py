# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that looks up one request: why does it count here? Thread-safe."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from edge.body import MAX_NAME
from edge.call import Call, Route, query_value
from edge.caller import Scope
from edge.errors import InvalidInput, NotFound
from edge.reach import check_request
from loadstats.ledger import RequestReader
from loadstats.wire import RequestId

REQUEST = "/v1/load/request"


class InspectionHandlers:
    """Handlers over one ledger's requests.

    `requests`: looks requests up.
    `node`: this node's name, for the answer.
    `now`: returns monotonic seconds.
    """

    def __init__(self, requests: RequestReader, node: str, *, now: Callable[[], float] = monotonic) -> None:
        self._requests = requests
        self._node = node
        self._now = now

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (Route("GET", REQUEST, self.look, scope=Scope.READ),)

    def look(self, call: Call) -> bytes:
        """`GET /v1/load/request?request_id=ID`: one request, as this node knows it."""
        try:
            request_id = msgspec.convert(query_value(call.query, b"request_id"), RequestId)
        except msgspec.ValidationError:
            raise InvalidInput(
                f"request_id: expected 1 to {MAX_NAME} characters in the query string, as in ?request_id=ID"
            ) from None
        call.request_id = request_id
        view = self._requests.look(request_id, self._now())
        if view is not None and view.cluster and call.caller is not None:
            check_request(call.caller, request_id, lambda _: view.cluster)
        if view is None:
            raise NotFound(f"request_id: {request_id!r} is unknown here: never reported, or over and forgotten")
        return msgspec.json.encode({**msgspec.structs.asdict(view), "node": self._node})

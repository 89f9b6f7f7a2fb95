# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that looks one request up: why does it count here? Thread-safe."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from edge.call import Call, Route, query_value
from edge.errors import InvalidInput, NotFound
from loadstats.ledger import RequestReader

REQUEST = "/v1/load/request"
MAX_CHARACTERS = 256  # as in the calls that report requests


class InspectionHandlers:
    """Handlers over one ledger. `node` is this node's name, `now` monotonic seconds."""

    def __init__(self, inspection: RequestReader, node: str, *, now: Callable[[], float] = monotonic) -> None:
        self._inspection = inspection
        self._node = node
        self._now = now

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (Route("GET", REQUEST, self.look),)

    def look(self, call: Call) -> bytes:
        """`GET /v1/load/request?request_id=ID`: all that this node knows of the request."""
        request_id = query_value(call.query, b"request_id")
        if not request_id or len(request_id) > MAX_CHARACTERS:
            raise InvalidInput(
                f"request_id: expected 1 to {MAX_CHARACTERS} characters in the query string, as in ?request_id=ID"
            )
        call.request_id = request_id
        sighting = self._inspection.look(request_id, self._now())
        if sighting is None:
            raise NotFound(f"request_id: {request_id!r} is unknown here: never reported, or over and forgotten")
        return msgspec.json.encode({**msgspec.structs.asdict(sighting), "node": self._node})

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What peers send. Takes the original's `POST /v1/replica/event`: one client call per request, told again.

Runs where the door runs it; holds no state.
"""

from __future__ import annotations

from collections.abc import Mapping

from metadata_center.errors import InvalidInput
from metadata_center.http.call import Call, Handler, Route

EVENT = "/v1/replica/event"


class ReplicaHandlers:
    """`takers` maps the original's event types to the handlers of the client calls that they repeat."""

    def __init__(self, takers: Mapping[str, Handler]) -> None:
        self._takers = {name.encode(): handler for name, handler in takers.items()}
        self._expected = ", ".join(takers)

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (Route("POST", EVENT, self.event),)

    def event(self, call: Call) -> bytes:
        """`POST /v1/replica/event`: validated as the client's call is, so that a bad peer cannot harm us."""
        taker = self._takers.get(call.headers.get(b"event-type", b""))
        if taker is None:
            raise InvalidInput(f"Event-Type: expected a header with one of {self._expected}")
        return taker(call)

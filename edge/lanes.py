# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What all connections of a server share: limits, remembered heads, the clock, and the heads of answers.

Owned by the event loop.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from edge.dispatcher import Dispatcher
from edge.envelope import CONTENT_TYPE, PACKED_TYPE
from edge.head import Heads
from edge.lane import Lane


class LaneState:
    """What all connections of a server share. `now` is a coarse monotonic clock, set by whoever sweeps."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        max_header_bytes: int,
        max_body_bytes: int,
        read_timeout_seconds: float,
        idle_timeout_seconds: float,
        write_timeout_seconds: float,
        now: float = 0.0,
    ) -> None:
        self.dispatcher = dispatcher
        self.heads = Heads()
        self.max_header_bytes = max_header_bytes
        self.max_body_bytes = max_body_bytes
        self.read_timeout_seconds = read_timeout_seconds
        self.idle_timeout_seconds = idle_timeout_seconds
        self.write_timeout_seconds = write_timeout_seconds
        self.now = now
        self.draining = False  # answers say `Connection: close` from now on
        self.served = 0  # requests of clients answered
        self.server_state = ServerState()  # the open connections, and Django's tasks
        self.date(b"")

    def date(self, date: bytes) -> None:
        """Set the `Date` of the answers to come; once a second is enough."""
        line = b"Date: %b\r\n" % date if date else b""
        self._starts = {
            status: b"%bContent-Type: %b\r\n%bX-Trace-ID: " % (STATUS_LINE[status], CONTENT_TYPE, line)
            for status in range(200, 600)
        }
        self._starts[304] = b"%b%bX-Trace-ID: " % (STATUS_LINE[304], line)  # it has no content
        self.ok_start = self._starts[200]
        self.packed_start = self.ok_start.replace(CONTENT_TYPE, PACKED_TYPE)

    def start(self, status: int) -> bytes:
        """An answer's head up to the trace id."""
        return self._starts[status]

    def drain(self) -> None:
        """Ask for the connections back, with each answer from now on and with those of Django that are under way."""
        self.draining = True
        for connection in self.server_state.connections:
            if isinstance(connection, Lane) and connection.cycle is not None:
                connection.cycle.keep_alive = False

    def sweep(self, now: float) -> None:
        """Set the clock and close what has timed out."""
        self.now = now
        for connection in list(self.server_state.connections):
            if isinstance(connection, Lane):
                connection.check_time(now)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What all connections of a server share: limits, remembered heads, the clock, and the heads of answers.

Owned by the event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from edge.backlog import Backlog
from edge.credentials import Certificates
from edge.dispatcher import Dispatcher
from edge.ends import Ends
from edge.envelope import COLD_HEADER, CONTENT_TYPE, INTERNAL_TYPE
from edge.head import Heads
from edge.head_limits import HeadLimits

TRACE = b"X-Trace-ID: "
_COLD = COLD_HEADER.lower()


class LaneState:
    """What all connections of a server share.

    `dispatcher`: serves the routes.
    `quotas`: what each client takes, and may.
    `heads`: the heads seen lately.
    `backlog`: connections with requests that wait for their turn.
    `ends`: connections that their clients have ended.
    `max_header_bytes`, `max_body_bytes`: of one request.
    `limits`: says which heads go beyond.
    `read_timeout_seconds`: from a request's first byte to its last.
    `idle_timeout_seconds`: between two requests.
    `write_timeout_seconds`: for a client that does not read.
    `certificates`: says who the holders of client certificates are.
    `now`: a coarse monotonic clock in seconds, set by `Connections.sweep`.
    `draining`: answers say `Connection: close` from now on.
    `served`: requests of clients answered.
    `cold`: for how many seconds the node has been cold, as the answers say at the moment; 0 if they do not.
    `server_state`: uvicorn's open connections, and Django's tasks.
    `ok_start`, `internal_start`: the head of a 200 up to the trace id, for clients and for other nodes.

    `cold_seconds` returns for how many seconds the node has been cold, 0 if it is not (`runtime/cold_start.py`).
    """

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
        cold_seconds: Callable[[], int] = lambda: 0,
        certificates: Certificates | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.quotas = dispatcher.quotas
        self.heads = Heads()
        self.backlog = Backlog()
        self.ends = Ends()
        self.max_header_bytes = max_header_bytes
        self.max_body_bytes = max_body_bytes
        self.limits = HeadLimits(max_header_bytes, max_body_bytes)
        self.read_timeout_seconds = read_timeout_seconds
        self.idle_timeout_seconds = idle_timeout_seconds
        self.write_timeout_seconds = write_timeout_seconds
        self.certificates = Certificates() if certificates is None else certificates
        self.now = now
        self.draining = False
        self.served = 0
        self.cold = 0
        self._cold_seconds = cold_seconds
        self._date = b""
        self.server_state = ServerState()
        self.date(b"")

    def check_cold(self) -> None:
        """Bring up to date what answers say of a cold node."""
        if self._cold_seconds() != self.cold:
            self.date(self._date)

    def date(self, date: bytes) -> None:
        """Set the `Date` of the answers to come; once a second is enough."""
        self._date = date
        self.cold = self._cold_seconds()
        line = b"Date: %b\r\n" % date if date else b""
        if self.cold:  # a node that is not cold sends no byte of this
            line += b"%b: %d\r\n" % (COLD_HEADER, self.cold)
        others = [each for each in self.server_state.default_headers if each[0] != _COLD]
        cold = [(_COLD, b"%d" % self.cold)] if self.cold else []
        self.server_state.default_headers = others + cold  # of uvicorn's answers
        self._starts = {
            status: b"%bContent-Type: %b\r\n%b%b" % (STATUS_LINE[status], CONTENT_TYPE, line, TRACE)
            for status in range(200, 600)
        }
        self._starts[401] = self._starts[401].replace(TRACE, b"WWW-Authenticate: Bearer\r\n" + TRACE)
        self._starts[304] = b"%b%b%b" % (STATUS_LINE[304], line, TRACE)  # it has no content
        self.ok_start = self._starts[200]
        self.internal_start = self.ok_start.replace(CONTENT_TYPE, INTERNAL_TYPE)

    def start(self, status: int, retry_seconds: int = 0) -> bytes:
        """Return an answer's head up to the trace id. `retry_seconds` is for `Retry-After`; 0 if it has none."""
        start = self._starts[status]
        return start if not retry_seconds else start.replace(TRACE, b"Retry-After: %d\r\n%b" % (retry_seconds, TRACE))

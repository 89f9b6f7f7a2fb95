# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a connection's bytes become requests, one at a time. What a request is answered is the lane's.

Bytes wait in the `Intake`, and the parser gets them piece by piece. When a head is complete, it is decided who answers:
the lane, or uvicorn's own code and so Django. Everything here runs on the event loop and belongs to one connection.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from functools import partial
from time import perf_counter_ns
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from edge.account import Account
from edge.asgi import wants_page
from edge.call import Route
from edge.client import client_of
from edge.errors import ContractError, InvalidInput, TooMany
from edge.flow import Flow
from edge.head import Head
from edge.intake import Intake
from edge.lane_state import LaneState
from edge.upgrade_offer import without_offer


class HttpReader(HttpToolsProtocol):
    """Reads the requests of one connection. At most one is under way.

    `shared`: what all connections of the server share.
    `account`: of the client that its calls are charged to: that of its address, or of the caller that the last one had.
    `credentials`: what the connection has proved.
    `url`, `headers`: of the request whose head is being read, as the parser gave them.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: LaneState,
        account: Account | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.shared = shared
        self._given_account = account  # the acceptor has counted this connection on it
        self._ready = True  # nothing is open, waits or is under way: the next bytes begin a request
        self._open = False  # between a request's first byte and its last
        self._since = shared.now  # when the open request began, or the last one ended
        self._refused = False  # nothing more is read from this connection
        self._paused = False  # its client is over its limit: nothing is read for a while
        self._half_closed = False  # the client sends no more
        self._intake = Intake()
        self._data = b""  # what was received last, if it began with a request
        self._ended = False  # the piece being parsed held the end of a request
        self._begin()

    def _begin(self) -> None:
        self._head: Head | None = None  # of the hot request being read
        self._paged = False  # the request being read was handed to uvicorn
        self._body = bytearray()  # bytes would be copied with every piece
        self._size = 0  # of the body so far
        self._started = 0  # when the head was complete
        self._upgrade = False
        self._excess_route: Route | None = None  # its route, if it has one
        self._excess: TooMany | None = None  # why the request being read will be refused, when it is complete
        self._idle = False  # the request being served only waits for something to happen
        self.url = b""
        self.headers = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self.credentials = self.shared.certificates.of(transport)
        self._address = self.client[0] if self.client is not None else ""
        account = self._given_account
        self.account = self.shared.quotas.enter(self._address) if account is None else account

    def eof_received(self) -> bool:  # type: ignore[override]
        """Note that the client will send no more. Returns whether the connection stays open for answers under way.

        It does not for a call that only waits: its client has most likely given up.
        """
        self._half_closed = True
        if not self.transport.can_write_eof():
            return False
        if not self._refused and (self._intake or (not self._open and not self._idle and self._busy())):
            return True
        return self.shared.ends.wait(self.transport)

    # What becomes of a request

    @abstractmethod
    def _answer(self, head: Head, body: bytes, trace_header: bytes | None) -> None:
        """Serve a hot request."""

    @abstractmethod
    def _answer_excess(
        self, route: Route | None, problem: TooMany, trace_header: bytes | None, *, keep: bool, bodiless: bool = False
    ) -> None:
        """Answer a call beyond its client's limit."""

    @abstractmethod
    def _refuse(self, problem: ContractError) -> None:
        """Answer with an error and read no more."""

    @abstractmethod
    def _count(self, route: Route | None) -> bool:
        """Count a call that is handed over. Returns whether its client is within its limit."""

    # From the parser

    def on_message_begin(self) -> None:
        if self._refused:
            return
        if self._ended:  # the intake does not let it happen; two requests at once must not
            self._refuse(InvalidInput("malformed HTTP: a request ends where none can"))
            return
        self._begin()
        self._open = True
        self._since = self.shared.now

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._started:  # a trailer is no part of the head and is ignored
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._refused or self.transport.is_closing():
            self._refused = True
            return
        self._started = perf_counter_ns()
        headers: dict[bytes, bytes] = {}
        for name, value in self.headers:
            headers.setdefault(name.lower(), value)
        length = int(headers.get(b"content-length", b"0"))
        chunked = b"transfer-encoding" in headers
        if (problem := self.shared.limits.fault(self.parser, self.headers, length, self._intake.frame)) is not None:
            self._refuse(problem)
            return
        websocket = False
        if self.parser.should_upgrade():
            websocket = headers.get(b"upgrade", b"").lower() == b"websocket" and self._should_upgrade_to_ws()
            if not websocket:
                self._upgrade = True
                return  # parsed again without the offer, see _without_offer
            if self.parser.get_method() != b"GET" or length or chunked:
                self._refuse(InvalidInput("Upgrade: a websocket begins with a GET without a body"))
                return
        self._intake.end_head(length, chunked=chunked)
        route, query = self._find_route()
        size = self.shared.max_body_bytes if chunked else length
        async_handler = None if route is None else route.choose_async(query, size)
        doors = self.shared.dispatcher.doors
        if (
            route is None
            or async_handler is not None
            or websocket
            or wants_page(headers.get(b"accept"))
            or doors.asks_session(route.scope, headers)
        ):
            if self._may_hand_over(route, websocket=websocket):
                self._hand_over()
                self._idle = async_handler is not None and async_handler.idle
            return
        fault = self._head_fault()
        self._head = Head(
            route,
            query,
            headers,
            length,
            keep_alive=self.parser.should_keep_alive(),
            persistent=self.parser.should_keep_alive() and self.parser.get_http_version() == "1.1",
            is_open=fault is None and doors.is_open(route.scope, headers),
            fault=fault,
            key=None if fault is not None else doors.head_key(route, headers),
        )
        if headers.get(b"expect", b"").lower() == b"100-continue" and (length or chunked):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_chunk_header(self) -> None:
        self._intake.begin_chunk()

    def on_body(self, body: bytes) -> None:
        if self._refused or self._upgrade:
            return
        self._size += len(body)
        self._intake.take_body(len(body))
        if self._size > self.shared.max_body_bytes:
            self._refuse(self.shared.limits.body_too_large())
        elif self._paged:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._refused or self._upgrade:
            return
        if self._intake.frame > self.shared.max_header_bytes:
            self._refuse(self.shared.limits.head_too_large())
            return
        self._intake.end_request()
        self._open = False
        self._ended = True
        self._since = self.shared.now
        if self._paged:
            super().on_message_complete()
            return
        if self._excess is not None:
            keep = self.parser.should_keep_alive()
            trace_header = next((value for name, value in self.headers if name.lower() == b"traceid"), None)
            bodiless = self.parser.get_method() == b"HEAD"
            self._answer_excess(self._excess_route, self._excess, trace_header, keep=keep, bodiless=bodiless)
            return
        head = self._head
        assert head is not None
        if head.persistent and b"expect" not in head.headers:
            self.shared.heads.learn(self._data, head)
        self._answer(head, bytes(self._body), head.headers.get(b"traceid"))

    # To uvicorn

    def _may_hand_over(self, route: Route | None, *, websocket: bool) -> bool:
        """Return whether uvicorn may serve the request. If not, it is refused, now or when it is complete."""
        if not self.url.startswith(b"/") and (problem := self._head_fault()) is not None:
            self._refuse(problem)  # what is handed over has no target: it could be judged by its `Host` alone
            return False
        if websocket and (reason := self._no_socket()):
            self._refuse(TooMany(reason))
            return False
        if self._count(route):
            return True
        self._excess = TooMany(self.shared.quotas.excess(self.account))
        self._excess_route = route
        if websocket:
            self._refuse(self._excess)
        return False

    def _no_socket(self) -> str:
        """Return why this client gets no websocket, empty if it may. Said here, it costs a tenth of a handshake."""
        first = {name.lower(): value for name, value in reversed(self.headers)}  # of each name
        caller = self.shared.dispatcher.doors.keys.find(first)
        return self.shared.quotas.sockets.refuse(client_of(self._address, caller))

    def _hand_over(self) -> None:
        """Let uvicorn serve the request whose head was just read."""
        self._paged = True
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        self.scope["credentials"] = self.credentials  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        if self.shared.draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to a websocket, and its account with it."""
        self.shared.quotas.spend(self.account)
        self.ws_protocol_class: Any = partial(self.ws_protocol_class, account=self.account)
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment] # no circle of references is left for a full collection

    # Inside

    def _feed(self, piece: memoryview) -> None:
        """Parse a piece. Behind a head that offers another protocol a new parser begins."""
        self._ended = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._refused:
                return  # the parser calls back, and that may have refused
            if self._upgrade:
                self._feed(self._without_offer())
                return
            self._stop_reading()
            self.handle_websocket_upgrade()
            return
        except httptools.HttpParserError as problem:
            if not self._refused:
                self._refuse(InvalidInput(f"malformed HTTP: {problem}"))
            return
        if not self._refused and self._intake.frame > self.shared.max_header_bytes:
            self._refuse(self.shared.limits.head_too_large())

    def _without_offer(self) -> memoryview:
        """Return the head without the other protocol that it offers, for a new parser.

        httptools ends such a request at its head, and takes its body for the other protocol's.
        """
        version = self.parser.get_http_version().encode()
        head = without_offer(self.parser.get_method(), self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._data = b""
        return memoryview(head)

    def _busy(self) -> bool:
        """Whether a new request must wait: for Django's answer, or for the client to read."""
        cycle = self.cycle
        return (cycle is not None and not cycle.response_complete) or self.flow.write_paused

    def _can_parse(self) -> bool:
        """Whether the parser may be fed: a request's rest, or a new request if none is under way."""
        if self._refused or not self._intake or self.flow.write_paused or self._paused:
            return False
        return self._open or not self._busy()

    def _stop_reading(self) -> None:
        """Take nothing more from the client. What still comes in is ignored, so that its end is seen."""
        self._refused = True
        self._ready = False
        self._intake.clear()
        self._data = b""
        if not self.transport.is_closing():
            self.flow.release()

    def _find_route(self) -> tuple[Route | None, bytes]:
        path, _, query = self.url.partition(b"?")
        return self.shared.dispatcher.table.find(self.parser.get_method(), path), query.partition(b"#")[0]

    def _head_fault(self) -> ContractError | None:
        """Return why the doors let in nobody with this head, if they do not."""
        return self.shared.dispatcher.doors.head_fault(self.parser.get_method(), self.headers, target=self.url)

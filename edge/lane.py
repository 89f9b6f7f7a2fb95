# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The hot path: uvicorn's HTTP protocol, answering the table's routes from the parser's callbacks.

Passed to uvicorn as `http=`. A complete request for a handler is answered at once, without an ASGI scope or a task.
Everything else goes to uvicorn's own code untouched and so to Django: other paths, browsers (`Accept: text/html`),
websockets, calls for an async handler, and those that only a person's session can let in. What the doors say of a head
is remembered with it, so that a call without a key costs nothing more.

A connection has at most one request under way, whoever answers it. The parser gets no byte of the next one before the
answer is written to a client that reads. Until then the bytes wait, at most as many as one read gives, and nothing more
is read. So what a connection holds does not depend on what its client sends or how slowly it reads.

Each call is counted on its client's account (`edge/quotas.py`). A client beyond its limit is answered 429 once, and its
connection is not read for a second. A client that had its share of a turn of the loop waits for the next one.

A `Lane` is one connection. All of it runs on the event loop.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter_ns, time_ns
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from edge.account import Account
from edge.asgi import wants_page
from edge.call import Call, Route
from edge.caller import Caller
from edge.client import client_of
from edge.errors import (
    BodyTooLarge,
    ContractError,
    HeadersTooLarge,
    InvalidInput,
    MethodNotAllowed,
    RequestTimeout,
    TooMany,
)
from edge.flow import Flow
from edge.head import Head
from edge.intake import Intake
from edge.lane_state import LaneState

LARGE_READ = 65536  # bytes; after it the socket may hold more, and uvloop would read it 32 times in one turn
IGNORED_BYTES = 262144  # after a refusal, from a client that has not seen it yet; then it is cut off
IGNORED_BODIES = 4  # after the refusal of a body that is too large, so many of the largest


class Lane(HttpToolsProtocol):
    """One connection. It has at most one request under way; what came in behind that waits, and reading pauses.

    `shared`: what all connections of the server share.
    `account`: of the client that its calls are charged to: that of its address, or of the caller that the last one had.
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
        self._caller: Caller | None = None  # of the last call
        self._paused = False  # its client is over its limit: nothing is read for a while
        self._deferred = False  # what came in last has not been looked at, for its client had its share
        self._ready = True  # nothing is open, waits or is under way: the next bytes begin a request
        self._open = False  # between a request's first byte and its last
        self._since = shared.now  # when the open request began, or the last one ended
        self._refused = False  # nothing more is read from this connection
        self._ignored = IGNORED_BYTES  # so many more after that
        self._half_closed = False  # the client sends no more
        self._paused_at = shared.now
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

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self.credentials = self.shared.certificates.of(transport)
        self._address = self.client[0] if self.client is not None else ""
        account = self._given_account
        self.account = self.shared.quotas.enter(self._address) if account is None else account

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client: mostly exactly one request with a known head."""
        spent = self.account.spent
        if self._ready and not spent:
            head, trace_id, body = self.shared.heads.split(data)
            if head is not None:
                self._started = perf_counter_ns()
                self._answer(head, trace_id, body)
                return
        if self._refused:
            self._ignored -= len(data)
            if self._ignored < 0:
                self.transport.abort()
                return
        else:
            self._data = data if self._ready else b""
            self._deferred = self._ready and spent
            self._ready = False
            self._intake.add(data)
            if spent:
                self.flow.hold()
                self.shared.backlog.add(self)
                return
            self.shared.backlog.serve(self)
        if len(data) >= LARGE_READ and not self.transport.is_closing():
            self.flow.hold()
            self.shared.backlog.add(self)  # which reads on, in the next turn

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Free everything that this connection held."""
        super().connection_lost(exc)
        self._stop_reading()
        self._begin()
        self.shared.quotas.leave(self.account)

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than we write."""
        super().pause_writing()
        self._ready = False
        self._paused_at = self.shared.now

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        self._go_on_soon()

    def check_time(self, now: float) -> None:
        """Close the connection if the client has let us wait too long. `now` is monotonic seconds."""
        shared = self.shared
        if self.flow.write_paused:
            if now - self._paused_at > shared.write_timeout_seconds:
                self.transport.abort()
        elif self._refused:
            if now - self._since > shared.read_timeout_seconds:
                self.transport.abort()
        elif self._open:
            if now - self._since > shared.read_timeout_seconds:
                self._refuse(RequestTimeout(f"no complete request within {shared.read_timeout_seconds:g} seconds"))
        elif not self._intake and not self._busy() and now - self._since > shared.idle_timeout_seconds:
            self.transport.close()

    def shutdown(self) -> None:
        """Close when the server stops: at once if idle, else after the answer under way."""
        if self._open and not self._paged and not self._busy():
            return  # its answer will say `Connection: close`; the read timeout bounds the wait
        super().shutdown()

    # From the backlog

    def work(self) -> bool:
        """Parse one piece of what came in: at most up to the end of one request. Returns whether more can follow."""
        if self._can_parse() and not (self._deferred and self._answer_deferred()):
            self._feed(self._intake.cut())
        if self._refused:
            self._stop_reading()
            return False
        if self._intake:
            if self._can_parse():
                return True
            self.flow.hold()  # until the answer under way is out and read
            return False
        if self._paused:
            return False
        self._data = b""
        self.flow.release()
        self._rest()
        return False

    def wait(self) -> None:
        """Read no more until the backlog comes to this connection."""
        self.flow.hold()

    @property
    def charged_client(self) -> str:
        """Whose turn it takes."""
        return self.account.client

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
        if (problem := self._fault(length)) is not None:
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
            http_1_0=self.parser.get_http_version() != "1.1",
            is_open=fault is None and doors.is_open(route.scope, headers),
            fault=fault,
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
            self._refuse(self._too_large())
        elif self._paged:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._refused or self._upgrade:
            return
        if self._intake.frame > self.shared.max_header_bytes:
            self._refuse(self._head_too_large())
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
            self._write_excess(self._excess_route, self._excess, trace_header, keep=keep, bodiless=bodiless)
            return
        head = self._head
        assert head is not None
        if head.keep_alive and not head.http_1_0 and b"expect" not in head.headers:
            self.shared.heads.learn(self._data, head)
        self._answer(head, head.headers.get(b"traceid"), bytes(self._body))

    # From uvicorn

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to a websocket, and its account with it."""
        self.shared.quotas.spend(self.account)
        self.ws_protocol_class: Any = partial(self.ws_protocol_class, account=self.account)
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment] # no circle of references is left for a full collection

    def on_response_complete(self) -> None:
        """Note that Django has answered."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # check_time closes idle connections
        self._since = self.shared.now
        if self.transport.is_closing():
            self._stop_reading()
        self._go_on_soon()

    # Inside

    def _busy(self) -> bool:
        """Whether a new request must wait: for Django's answer, or for the client to read."""
        cycle = self.cycle
        return (cycle is not None and not cycle.response_complete) or self.flow.write_paused

    def _can_parse(self) -> bool:
        """Whether the parser may be fed: a request's rest, or a new request if none is under way."""
        if self._refused or not self._intake or self.flow.write_paused or self._paused:
            return False
        return self._open or not self._busy()

    def _go_on_soon(self) -> None:
        """Go on with what waits, now that an answer is out or was read."""
        if self._intake:
            self.shared.backlog.add(self)
        else:
            self._rest()

    def _rest(self) -> None:
        """Note that nothing waits, and see whether nothing is open or under way either."""
        if self._refused or self._open or self._busy() or self._paused:
            return
        self._ready = not self._intake.frame  # the parser may have seen blank lines
        if self._half_closed:
            self.transport.close()

    def _stop_reading(self) -> None:
        """Take nothing more from the client. What still comes in is ignored, so that its end is seen."""
        self._refused = True
        self._ready = False
        self._intake.clear()
        self._data = b""
        if not self.transport.is_closing():
            self.flow.release()

    def _feed(self, piece: memoryview) -> None:
        """Parse a piece. Behind a head that offers another protocol a new parser begins."""
        self._ended = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._refused:
                return  # the parser calls back, and that may have refused
            if self._upgrade:
                self._feed(memoryview(self._without_offer()))
                return
            self._stop_reading()
            self.handle_websocket_upgrade()
            return
        except httptools.HttpParserError as problem:
            if not self._refused:
                self._refuse(InvalidInput(f"malformed HTTP: {problem}"))
            return
        if not self._refused and self._intake.frame > self.shared.max_header_bytes:
            self._refuse(self._head_too_large())

    def _without_offer(self) -> bytes:
        """Return the head of a request that offers another protocol (`Upgrade: h2c`) without that offer.

        It gets a new parser: httptools ends such a request at its head and takes its body for the other protocol's.
        """
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            if name.lower() not in {b"upgrade", b"connection", b"http2-settings"}:
                head += [name, b": ", value, b"\r\n"]
            elif name.lower() == b"connection" and b"close" in value.lower():
                head.append(b"Connection: close\r\n")
        head.append(b"\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._data = b""
        return b"".join(head)

    def _fault(self, length: int) -> ContractError | None:
        """Return what is wrong with a head that the parser accepts, if anything. `length` is its content length."""
        if self.parser.get_method() == b"CONNECT":
            return MethodNotAllowed("CONNECT: this is no proxy", allow=())
        if self._intake.frame > self.shared.max_header_bytes:
            return self._head_too_large()
        if self.parser.get_http_version() == "1.1" and sum(name.lower() == b"host" for name, _ in self.headers) != 1:
            return InvalidInput("Host: expected exactly one")
        if length > self.shared.max_body_bytes:
            return self._too_large()
        return None

    def _head_fault(self) -> ContractError | None:
        """Return why the doors let in nobody with this head, if they do not."""
        return self.shared.dispatcher.doors.head_fault(self.parser.get_method(), self.headers, target=self.url)

    def _head_too_large(self) -> HeadersTooLarge:
        most = self.shared.max_header_bytes
        return HeadersTooLarge(f"head, chunk sizes and trailers: expected at most {most} bytes together")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"body: expected at most {self.shared.max_body_bytes} bytes")

    def _find_route(self) -> tuple[Route | None, bytes]:
        path, _, query = self.url.partition(b"?")
        return self.shared.dispatcher.table.find(self.parser.get_method(), path), query.partition(b"#")[0]

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

    def _answer(self, head: Head, trace_header: bytes | None, body: bytes) -> None:  # noqa: PLR0912 hot: no calls
        """Serve a hot request: write, then count and log."""
        shared = self.shared
        dispatcher = shared.dispatcher
        route = head.route
        account = self.account
        account.calls += 1
        if account.calls >= account.due and not self._look(route):
            problem = TooMany(shared.quotas.excess(account))
            self._write_excess(route, problem, trace_header, keep=head.keep_alive)
            return
        wall_ns = time_ns()
        trace_id = dispatcher.trace_ids.of(trace_header)
        call = Call(head.query, body, head.headers, "", self._address)
        call.credentials = credentials = self.credentials
        if credentials.caller is not None:
            call.caller = credentials.caller_for(route.scope)
        if head.is_open:
            status, answer = dispatcher.serve_admitted(route, call, trace_id)
        elif head.fault is None:
            status, answer = dispatcher.serve(route, call, trace_id)
        else:
            status, answer = dispatcher.refuse_head(route, call, head.fault, trace_id)
        if status != 200:
            start = shared.start(status, call.retry_seconds)
        elif route.internal:
            start = shared.internal_start
        else:
            start = shared.ok_start
        if not head.keep_alive or head.http_1_0 or shared.draining or status == 304:
            self._write_other(head, status, start + trace_id, call.etag, answer)
        elif call.etag:
            self.transport.write(
                b'%b%b\r\nETag: W/"%b"\r\nContent-Length: %d\r\n\r\n%b'
                % (start, trace_id, call.etag, len(answer), answer)
            )
        else:
            self.transport.write(b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (start, trace_id, len(answer), answer))
        if not route.internal:
            shared.served += 1  # what peers send keeps no draining node waiting
        elif status == 200:
            account.take_back()  # a peer's calls are as many as all gateways' together
        if call.caller is not self._caller:
            self._charge_to(call.caller)
        self._since = shared.now
        duration_ns = perf_counter_ns() - self._started
        dispatcher.finish(route, call, trace_id, status, wall_ns=wall_ns, duration_ns=duration_ns)

    def _answer_deferred(self) -> bool:
        """Answer what waited for its turn, if it is a request with a known head and nothing else. Returns whether."""
        self._deferred = False
        if len(self._intake) != len(self._data):
            return False
        head, trace_id, body = self.shared.heads.split(self._data)
        if head is None:
            return False
        self._intake.clear()
        self._started = perf_counter_ns()
        self._answer(head, trace_id, body)
        return True

    # Of quotas

    def _count(self, route: Route | None) -> bool:
        """Count a call that is handed over. Returns whether its client is within its limit."""
        account = self.account
        account.calls += 1
        return account.calls < account.due or self._look(route)

    def _look(self, route: Route | None) -> bool:
        """Look at the account, for this call is due. Returns whether it may be served.

        What is open to everyone always is served also beyond the limit, for a probe that fails ends the node. So are
        peers, whom their route admits or not.
        """
        if self.shared.quotas.check(self.account):
            return True
        if route is None or not (route.internal or route.scope is None):
            return False
        if not route.internal:
            self._pause()
        return True

    def _charge_to(self, caller: Caller | None) -> None:
        """Charge the calls from now on to the caller that the last call had. Closes the connection beyond its most."""
        self._caller = caller
        account = self.shared.quotas.move(self.account, client_of(self._address, caller))
        if account is not None:
            self.account = account
        elif not self.transport.is_closing():
            self._stop_reading()
            self.transport.close()

    def _write_excess(
        self, route: Route | None, problem: TooMany, trace_header: bytes | None, *, keep: bool, bodiless: bool = False
    ) -> None:
        """Answer a call beyond its client's limit, and read no more from the connection for a while."""
        shared, dispatcher = self.shared, self.shared.dispatcher
        trace_id = dispatcher.trace_ids.of(trace_header)
        status, answer = dispatcher.refuse(problem, trace_id)
        keep = keep and not shared.draining
        self.transport.write(
            b"%b%b\r\nConnection: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (
                shared.start(status, problem.retry_seconds),
                trace_id,
                b"keep-alive" if keep else b"close",
                len(answer),
                b"" if bodiless else answer,
            )
        )
        if keep:
            self._pause()
        else:
            self._stop_reading()
            self.transport.close()
        self._since = shared.now
        duration_ns = perf_counter_ns() - self._started
        wall_ns = time_ns() - duration_ns
        if route is not None:
            call = Call(b"", b"", {}, client=self._address, reason=problem.reason)
            dispatcher.finish(route, call, trace_id, status, wall_ns=wall_ns, duration_ns=duration_ns)
        else:
            dispatcher.finish_other(
                trace_id,
                status,
                method=self.parser.get_method().decode("latin-1"),
                route=None,
                client=self._address,
                reason=problem.reason,
                wall_ns=wall_ns,
                duration_ns=duration_ns,
            )

    def _pause(self) -> None:
        """Read nothing for a while: a client beyond its limit costs no more than this."""
        if not self._paused:
            self._paused = True
            self._ready = False
            self.flow.hold()
            self.shared.quotas.pause(self._go_on)

    def _go_on(self) -> None:
        """End the pause."""
        self._paused = False
        if not self.transport.is_closing():
            self.shared.backlog.add(self)

    def _write_other(self, head: Head, status: int, start: bytes, etag: bytes, answer: bytes) -> None:
        """Write an answer that needs a `Connection` header, or one without a body."""
        keep = head.keep_alive and not self.shared.draining
        word = b"keep-alive" if keep else b"close"
        tag = b'ETag: W/"%b"\r\n' % etag if etag else b""
        length = b"" if status == 304 else b"Content-Length: %d\r\n" % len(answer)
        self.transport.write(b"%b\r\nConnection: %b\r\n%b%b\r\n%b" % (start, word, tag, length, answer))
        if not keep:
            self._stop_reading()
            self.transport.close()

    def _refuse(self, problem: ContractError) -> None:
        """Answer with an error and read no more: where the next request would begin is unknown."""
        dispatcher = self.shared.dispatcher
        in_django = self._open and self._paged
        if isinstance(problem, BodyTooLarge):
            self._ignored = IGNORED_BODIES * self.shared.max_body_bytes
        self._stop_reading()
        self._open = False
        self._since = self.shared.now
        trace_id = dispatcher.trace_ids.fresh()
        status, answer = dispatcher.refuse(problem, trace_id)
        client = self.client[0] if self.client is not None else ""
        dispatcher.finish_other(
            trace_id, status, method="other", route=None, client=client, reason=problem.reason, wall_ns=time_ns()
        )
        refusal = b"%b%b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (
            self.shared.start(status),
            trace_id,
            len(answer),
            answer,
        )
        if not in_django:
            self._write_last(refusal)
        elif self.cycle.response_started:
            self.transport.abort()  # a second answer to the same request would be taken for the next one's
        else:
            self.cycle.disconnected = True  # Django waits for the rest of this very request
            self.cycle.message_event.set()
            self._write_last(refusal)

    def _write_last(self, refusal: bytes) -> None:
        """Write the last answer, and leave the client time to read it: closing at once could reset it away."""
        self.transport.write(refusal)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

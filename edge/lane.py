# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The hot path: uvicorn's HTTP protocol, answering the table's routes from the parser's callbacks.

Passed to uvicorn as `http=`. A complete request for a handler is answered at once, without an ASGI scope or a task.
Everything else goes to uvicorn's own code untouched and so to Django: other paths, browsers (`Accept: text/html`),
websockets, calls for an async handler, and those that only a person's session can let in. What the doors say of a head
is remembered with it, so that a call without a key costs nothing more, and one with a key little.

A connection has at most one request under way, whoever answers it. The parser gets no byte of the next one before the
answer is written to a client that reads. Until then the bytes wait, at most as many as one read gives, and nothing more
is read. So what a connection holds does not depend on what its client sends or how slowly it reads.

Each call is counted on its client's account (`edge/quotas.py`). A client beyond its limit is answered 429 once, and its
connection is not read for a second. A client that had its share of a turn of the loop waits for the next one.

A `Lane` is one connection. All of it runs on the event loop.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns, time_ns
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.account import Account
from edge.answer_bytes import answer_saying
from edge.call import Call, Route
from edge.caller import Caller
from edge.client import client_of
from edge.envelope import json_text
from edge.errors import BodyTooLarge, ContractError, RequestTimeout, TooMany
from edge.head import END_OF_HEAD, Head
from edge.http_reader import HttpReader
from edge.lane_refusals import excess_answer, last_answer
from edge.lane_state import LaneState

LARGE_READ = 65536  # bytes; after it the socket may hold more, and uvloop would read it 32 times in one turn
IGNORED_BYTES = 262144  # after a refusal, from a client that has not seen it yet; then it is cut off
IGNORED_BODIES = 4  # after the refusal of a body that is too large, so many of the largest


class Lane(HttpReader):
    """One connection. It has at most one request under way; what came in behind that waits, and reading pauses."""

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
        super().__init__(config, server_state, app_state, _loop, shared=shared, account=account)
        self._caller: Caller | None = None  # of the last call
        self._deferred = False  # what came in last has not been looked at, for its client had its share
        self._ignored = IGNORED_BYTES  # so many more bytes are read and ignored after a refusal
        self._paused_at = shared.now

    # From the transport

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client: mostly exactly one request with a known head."""
        if self._ready and not self.account.spent:
            top, end, body = data.partition(END_OF_HEAD)  # as `Heads.split`, without the call
            head, trace_header = self.shared.heads.known.get(top), None
            if head is None and end:
                head, trace_header = self.shared.heads.find_traced(top)
            if head is not None and end and len(body) == head.content_length:
                self._started = perf_counter_ns()
                self._answer(head, body, trace_header)
                return
        if self._refused:
            self._ignored -= len(data)
            if self._ignored < 0:
                self.transport.abort()
                return
        else:
            self._data = data if self._ready else b""
            spent = self.account.spent
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

    # From uvicorn

    def on_response_complete(self) -> None:
        """Note that Django has answered."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # check_time closes idle connections
        self._since = self.shared.now
        if self.transport.is_closing():
            self._stop_reading()
        self._go_on_soon()

    # Inside

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

    def _answer(self, head: Head, body: bytes, trace_header: bytes | None) -> None:  # noqa: PLR0912 hot: no calls
        """Serve a hot request: write, then count and log."""
        shared = self.shared
        dispatcher = shared.dispatcher
        route = head.route
        account = self.account
        account.calls += 1
        if account.calls >= account.due and not self._look(route):
            problem = TooMany(shared.quotas.excess(account))
            self._answer_excess(route, problem, trace_header, keep=head.keep_alive)
            return
        wall_ns = time_ns()
        if trace_header:
            trace_id = dispatcher.trace_ids.of(trace_header)
            trace_json = json_text(trace_id)
        else:
            trace_id = trace_json = dispatcher.trace_ids.fresh()
        credentials = self.credentials
        caller = credentials.caller
        if caller is not None:
            caller = credentials.caller_for(route.scope)
        call = Call(head.query, body, head.headers, "", self._address, caller, credentials)
        if head.is_open or (head.key is not None and head.key.let_in(call)):
            status, answer = dispatcher.serve_admitted(route, call, trace_id, trace_json)
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
        if not head.persistent or shared.draining or status == 304:
            length = None if status == 304 else len(answer)
            self._write_saying(head, start, trace_id, answer, length, etag=call.etag)
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
        dispatcher.finish(route, call, trace_id, status, wall_ns, duration_ns)

    def _write_saying(
        self, head: Head, start: bytes, trace_id: bytes, answer: bytes, length: int | None, *, etag: bytes
    ) -> None:
        """Write an answer that says what becomes of the connection, and let that happen."""
        keep = head.keep_alive and not self.shared.draining
        self.transport.write(answer_saying(start, trace_id, answer, length, keep=keep, etag=etag))
        if not keep:
            self._stop_reading()
            self.transport.close()

    def _answer_deferred(self) -> bool:
        """Answer what waited for its turn, if it is a request with a known head and nothing else. Returns whether."""
        self._deferred = False
        if len(self._intake) != len(self._data):
            return False
        head, trace_header, body = self.shared.heads.split(self._data)
        if head is None:
            return False
        self._intake.clear()
        self._started = perf_counter_ns()
        self._answer(head, body, trace_header)
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

    def _answer_excess(
        self, route: Route | None, problem: TooMany, trace_header: bytes | None, *, keep: bool, bodiless: bool = False
    ) -> None:
        """Answer a call beyond its client's limit, and read no more from the connection for a while."""
        keep = keep and not self.shared.draining
        address, method = self._address, self.parser.get_method()
        said = excess_answer(
            self.shared, route, problem, trace_header, method, address, self._started, keep=keep, bodiless=bodiless
        )
        self.transport.write(said)
        if keep:
            self._pause()
        else:
            self._stop_reading()
            self.transport.close()
        self._since = self.shared.now

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

    # Of refusals

    def _refuse(self, problem: ContractError) -> None:
        """Answer with an error and read no more: where the next request would begin is unknown."""
        in_django = self._open and self._paged
        if isinstance(problem, BodyTooLarge):
            self._ignored = IGNORED_BODIES * self.shared.max_body_bytes
        self._stop_reading()
        self._open = False
        self._since = self.shared.now
        refusal = last_answer(self.shared, problem, self._address)
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

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""uvicorn's server with the lane in it: the sockets, the clock of its connections, and a stop that loses no call.

Always holds at a stop: what was answered 200 is flushed before the server closes, and what comes after the flush began
is refused. So no call counts that was not answered 200, and none is answered 200 that does not count.

Everything but `listen` runs on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from functools import partial
from time import monotonic, time_ns
from typing import Any, cast

import uvicorn

from edge.acceptor import Acceptor
from edge.account import Account
from edge.asgi import Asgi
from edge.client import client_of
from edge.connections import Connections
from edge.errors import TooMany
from edge.handshakes import Handshakes
from edge.lane import Lane
from edge.lane_state import LaneState
from edge.part import LoopPart
from edge.websocket import Socket
from runtime.config import Config
from runtime.tls import Renewed

BACKLOG = 2048
LAST_SECONDS = 1  # that a request in progress gets at least, to be answered
QUIET_SECONDS = 0.3  # without a hot request: clients no longer send to a draining node


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError where the address is in use or not this machine's."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that no code on the loop caught, but not a cancellation.

    A client that leaves cancels Django's work for it. What one of Django's threads then returns is not needed.
    """
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


class NodeServer(uvicorn.Server):
    """One node's listener.

    `lanes`: what its connections share.
    `on_drain`: called once, when the first signal to stop has come.
    `flush`: called once, when no more calls of clients are answered.
    `flushed`: returns whether all that was taken from clients is where it belongs. Asked after `flush`.
    `parts`: live on the loop. They start when it listens and stop when it no longer does.
    `tls`: what connections are encrypted with; None: they are not.
    `handshakes`: counts and bounds those that are not encrypted yet.
    """

    def __init__(
        self,
        config: Config,
        app: Asgi,
        lanes: LaneState,
        *,
        on_drain: Callable[[], None] = lambda: None,
        flush: Callable[[], None] = lambda: None,
        flushed: Callable[[], bool] = lambda: True,
        parts: Sequence[LoopPart] = (),
        tls: Renewed | None = None,
        handshakes: Handshakes | None = None,
    ) -> None:
        self.lanes = lanes
        self._connections = Connections(lanes)
        self._parts = parts
        self._acceptors: list[Acceptor] = []
        self._on_drain = on_drain
        self._flush = flush
        self._flushed = flushed
        self._drain_seconds = config.http.drain_timeout_seconds
        self._flush_seconds = config.replication.flush_timeout_seconds
        self._tls = tls
        self._handshakes = Handshakes() if handshakes is None else handshakes
        self._handshake_seconds = config.http.read_timeout_seconds
        super().__init__(
            uvicorn.Config(
                cast("Any", app),
                http=cast("Any", partial(Lane, shared=lanes)),
                loop="uvloop",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                # Lane.check_time closes idle connections; uvicorn's own timer is cancelled before it could.
                timeout_keep_alive=int(config.http.idle_timeout_seconds) + 60,
                ws=cast("Any", partial(Socket, shared=lanes)),
                ws_max_size=config.sockets.max_message_bytes,
                ws_ping_interval=config.sockets.ping_interval_seconds,
                ws_ping_timeout=config.sockets.ping_timeout_seconds,
                # Measured: compressing a message of 28 KB takes 150 µs, sending it 25.
                ws_per_message_deflate=False,
            )
        )
        self.server_state = lanes.server_state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then start what lives on the loop."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_error)
        self._connections.sweep(monotonic())  # before the first connection, which would else seem as old as the machine
        await super().startup([])

        def make(account: Account) -> Lane:
            return Lane(self.config, self.server_state, self.lifespan.state, loop, shared=self.lanes, account=account)

        for each in sockets or ():
            acceptor = Acceptor(
                each,
                make,
                self.lanes.quotas,
                refusal=self._turn_away,
                tls=self._tls,
                handshakes=self._handshakes,
                handshake_seconds=self._handshake_seconds,
            )
            acceptor.start()
            self._acceptors.append(acceptor)
        self.servers = cast("Any", self._acceptors)  # uvicorn closes them
        for part in self._parts:
            part.start()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: set the lanes' clock and date, close what timed out, hand on access lines."""
        leave = await super().on_tick(counter)
        if counter % 10 == 0:
            self.lanes.date(dict(self.server_state.default_headers).get(b"date", b""))
        else:
            self.lanes.check_cold()
        self._connections.sweep(monotonic())
        self.lanes.quotas.sweep()
        for acceptor in self._acceptors:
            acceptor.sweep()
        self.lanes.dispatcher.flush()
        return leave

    def _turn_away(self, address: str) -> bytes:
        """Return the answer to a connection beyond its client's most. It is counted and logged."""
        dispatcher, quotas = self.lanes.dispatcher, self.lanes.quotas
        problem = TooMany(quotas.connections.fault(client_of(address)))
        trace_id = dispatcher.trace_ids.fresh()
        status, answer = dispatcher.refuse(problem, trace_id)
        dispatcher.finish_other(
            trace_id, status, method="other", route=None, client=address, reason=problem.reason, wall_ns=time_ns()
        )
        start = self.lanes.start(status, problem.retry_seconds)
        return b"%b%b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (start, trace_id, len(answer), answer)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Report the stop on /readyz and serve until no more calls come. Then refuse them, flush and close.

        The drain time bounds how long it serves, the flush time how long it flushes.
        """
        self._on_drain()
        self._connections.drain()
        ends = monotonic() + self._drain_seconds
        served, quiet_since = self.lanes.served, monotonic()
        while not self.force_exit and (now := monotonic()) < min(ends, quiet_since + QUIET_SECONDS):
            await asyncio.sleep(0.05)
            await self.on_tick(1)
            if self.lanes.served != served:
                served, quiet_since = self.lanes.served, now
        self.lanes.dispatcher.close()
        await self._wait(lambda: not self._connections.busy(), max(ends, monotonic() + LAST_SECONDS))
        self._flush()
        await self._wait(self._flushed, monotonic() + self._flush_seconds)
        for part in self._parts:
            await part.stop()
        self.config.timeout_graceful_shutdown = max(LAST_SECONDS, round(ends - monotonic()))
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # its client did not read its answer in time

    async def _wait(self, condition: Callable[[], bool], until: float) -> None:
        """Go on serving until a condition holds, a time has come or a second signal does."""
        while not self.force_exit and not condition() and monotonic() < until:
            await asyncio.sleep(0.01)
            await self.on_tick(1)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT and SIGTERM; a second one stops at once. Unlike uvicorn's own, nothing is raised again after
        the stop, so that a clean stop exits with 0."""
        loop = asyncio.get_running_loop()
        stops = (signal.SIGINT, signal.SIGTERM)
        for each in stops:
            loop.add_signal_handler(each, self._stop)
        try:
            yield
        finally:
            for each in stops:
                loop.remove_signal_handler(each)

    def _stop(self) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

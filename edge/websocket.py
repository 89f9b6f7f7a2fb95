# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""uvicorn's websocket protocol, bounded: in time until the handshake is over, and in what its client may make it hold.

A `Socket` is one connection, from its handshake on; it is uvicorn's `ws=`. Frames are taken in slices, and only while
the client reads what it is sent and no message of it waits for the application. All of it runs on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from edge.account import Account
from edge.lane_state import LaneState
from edge.quiet_log import QuietLog

logger = QuietLog(logging.getLogger("edge.websocket"))

GOING_AWAY = 1001  # RFC 6455; uvicorn says 1012, which tells a client to come back to this very node
SLICE = 1024  # bytes; 170 pings take 1 ms


class Socket(WebSocketsSansIOProtocol):
    """One connection.

    `shared`: what all connections of the server share.
    `account`: of its client. The lane that took the connection hands it on.
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
        self.logger = logger  # type: ignore[assignment] # it has what uvicorn and websockets call
        self.conn.logger = logger
        self.shared = shared
        self._given_account = account
        self._began = shared.now
        self._held = b""  # received, and not taken yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        super().connection_made(transport)
        account = self._given_account
        address = self.client[0] if self.client is not None else ""
        self.account = self.shared.quotas.enter(address) if account is None else account

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._held += data
        self.shared.backlog.serve(self)

    def work(self) -> bool:
        """Take a slice of what came in. Returns whether more can follow."""
        if self._can_take():
            data, self._held = self._held[:SLICE], self._held[SLICE:]
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse_handshake()
        if self.transport.is_closing():
            self._held = b""
            return False
        if self._can_take():
            return True
        self._gate()
        return False

    @property
    def charged_client(self) -> str:
        """Whose turn it takes."""
        return self.account.client

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection back."""
        super().connection_lost(exc)
        self.shared.quotas.leave(self.account)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Note that the client has ended the connection. Returns whether it is closed later."""
        return self.transport.can_write_eof() and self.shared.ends.wait(self.transport)

    def wait(self) -> None:
        """Read no more until the backlog comes to this connection."""
        self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than we write. What it sends may be pings, which want answers."""
        super().pause_writing()
        self._gate()

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        self._go_on()

    async def send(self, message: Any) -> None:
        """Send what the application says. With the last byte of a refusal the handshake is over."""
        await super().send(message)
        if self.close_sent and self.initial_response is not None:
            self.handshake_complete = True  # uvicorn takes it for open, and logs an error when the application returns

    async def receive(self) -> Any:
        """Return the next message or event for the application."""
        message = await super().receive()
        self._go_on()
        return message

    def check_time(self, now: float) -> None:
        """Cut the connection off if its handshake takes too long. `now` is monotonic seconds."""
        is_open = self.handshake_complete and self.initial_response is None  # else it is under way, or refused
        if not is_open and now - self._began > self.shared.read_timeout_seconds:
            self.transport.abort()

    def shutdown(self) -> None:
        """Close with the reason that the server stops."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY})
            self.conn.send_close(GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
        self._cut_if_stuck()

    def keepalive_timeout(self) -> None:
        """Cut the connection off: without a pong the client is gone or does not read."""
        super().keepalive_timeout()
        self._cut_if_stuck()

    def _can_take(self) -> bool:
        return bool(self._held) and self.writable.is_set() and not self.read_paused and not self.transport.is_closing()

    def _go_on(self) -> None:
        """Go on with what waits, if it may be taken now."""
        if self._can_take():
            self.shared.backlog.add(self)
        self._gate()

    def _gate(self) -> None:
        """Read from the client exactly while nothing waits."""
        if self.transport.is_closing():
            return
        if self._held or self.read_paused or not self.writable.is_set():
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _refuse_handshake(self) -> None:
        """Answer a handshake that the websocket library does not take, and close. uvicorn would wait for the client."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _cut_if_stuck(self) -> None:
        """Cut the connection off if the client does not read: closing would wait for it without end."""
        if not self.writable.is_set():
            self.transport.abort()

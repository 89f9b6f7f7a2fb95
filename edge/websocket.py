# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""uvicorn's websocket protocol, passed to it as `ws=`: with a stop that tells clients so, and that waits for nobody.

A `Socket` is one connection, from its handshake on. All of it runs on the event loop.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

GOING_AWAY = 1001  # RFC 6455; uvicorn says 1012, which tells a client to come back to this very node


class Socket(WebSocketsSansIOProtocol):
    """One connection."""

    def shutdown(self) -> None:
        """The server stops: say so and close."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY})
            self.conn.send_close(GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
        self._cut_if_stuck()

    def keepalive_timeout(self) -> None:
        """No pong: the client is gone, or reads nothing."""
        super().keepalive_timeout()
        self._cut_if_stuck()

    def _cut_if_stuck(self) -> None:
        """A transport closes once all is sent, which with a client that does not read is never."""
        if not self.writable.is_set():
            self.transport.abort()

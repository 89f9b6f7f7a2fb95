# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""uvicorn's websocket protocol, passed to it as `ws=`: its stop closes with a reason and waits for no client.

A `Socket` is one connection, from its handshake on. All of it runs on the event loop.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

GOING_AWAY = 1001  # RFC 6455; uvicorn says 1012, which tells a client to come back to this very node


class Socket(WebSocketsSansIOProtocol):
    """One connection."""

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

    def _cut_if_stuck(self) -> None:
        """Cut the connection off if the client does not read: closing would wait for it without end."""
        if not self.writable.is_set():
            self.transport.abort()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The listener of a node that serves TLS: accepts connections, and hands them to lanes once they are encrypted.

It accepts by itself, since a server of the loop's has one context for its life and does not say who is still in the
handshake. Each connection gets the context that is there when it comes, so a renewed certificate disturbs none.

Owned by the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

from edge.handshakes import Handshakes
from runtime.tls import Renewed

logger = logging.getLogger("edge")

ACCEPTS = 16  # in one turn of the loop
PAUSE_SECONDS = 1.0  # without files or memory for another connection


class TlsListener:
    """Accepts on a socket that listens.

    `make` makes the protocol of a connection. A handshake may take `seconds`.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: Renewed,
        handshakes: Handshakes,
        seconds: float,
    ) -> None:
        self._listener = listener
        self._make = make
        self._tls = tls
        self._handshakes = handshakes
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._closed = False
        listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more, and end the handshakes under way."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        self._handshakes.close()

    async def wait_closed(self) -> None:
        """Return: nothing is left after `close`."""

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Begin the handshakes of those who have connected."""
        for _ in range(ACCEPTS):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in {EMFILE, ENFILE, ENOBUFS, ENOMEM}:
                    raise
                logger.error("TLS: no connection can be accepted: %s", error.strerror)  # noqa: TRY400 one line says it
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE_SECONDS, self._resume)
                return
            connection.setblocking(False)
            client = str(address[0])
            work = self._loop.create_task(self._shake(connection, client))
            self._handshakes.begin(client, work)

    async def _shake(self, connection: socket.socket, client: str) -> None:
        """Agree on encryption. The protocol is connected as soon as that is done."""
        work = asyncio.current_task()
        assert work is not None
        fail = self._handshakes.fail
        try:
            await self._loop.connect_accepted_socket(
                self._make, connection, ssl=self._tls.context, ssl_handshake_timeout=self._seconds
            )
        except ssl.SSLError as error:
            fail(client, work, "refused", str(error.reason or error).replace("_", " ").lower())
        except (ConnectionAbortedError, TimeoutError):
            fail(client, work, "late", f"not done within {self._seconds:g} s")
        except OSError:
            fail(client, work, "refused", "the client closed the connection")
        except asyncio.CancelledError:
            connection.close()  # it may have been cancelled before it began
            raise
        else:
            self._handshakes.succeed(client, work)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A server that says what it was told to, for tests of load generators. One connection after the other, on a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


class Scripted:
    """Whatever arrives is one request and gets the next of `answers`, in one or more pieces; an empty one closes.

    With `release` it answers nothing before that is set.
    """

    def __init__(self, answers: Iterable[tuple[bytes, ...]], release: threading.Event | None) -> None:
        self.requests: list[bytes] = []
        self._answers = iter(answers)
        self._release = release
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(ConnectionError):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while request := connection.recv(1 << 16):
            self.requests.append(request)
            if self._release is not None:
                assert self._release.wait(60)
            for piece in next(self._answers):
                if not piece:
                    return
                connection.sendall(piece)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def answering(answers: Iterable[tuple[bytes, ...]], release: threading.Event | None = None) -> Iterator[Scripted]:
    """The server while the context lasts. Connections to it must be closed before that ends."""
    server = Scripted(answers, release)
    try:
        yield server
    finally:
        server.close()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A websocket that notes when each version of a stream arrived, and does little else. Single thread."""

from __future__ import annotations

import re
import socket
from time import perf_counter_ns

_HEAD = re.compile(rb'\{"type":"(\w+)","version":(\d+),"time_ns":(\d+)')
_ENOUGH = 128  # bytes that hold a frame's head and what is read of a message


class HandshakeFailed(Exception):
    """The server did not switch protocols."""


class Listener:
    """One open socket. `arrivals` holds, by version of the changes, the server's wall clock in the message and when the
    last byte of it came, by `perf_counter_ns`."""

    def __init__(self, port: int, path: str) -> None:
        self.arrivals: dict[int, tuple[int, int]] = {}
        self.bytes = 0  # of the messages in `arrivals`
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.sendall(
            b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path.encode(), port)
        )
        self._data = b""  # too short to read yet
        while b"\r\n\r\n" not in self._data:
            read = self.connection.recv(65536)
            if not read:
                raise HandshakeFailed(self._data)
            self._data += read
        answer, _, self._data = self._data.partition(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise HandshakeFailed(answer)
        self.connection.setblocking(False)
        self._length = self._left = 0  # bytes of the message that is coming, and of those still to come
        self._message: tuple[str, int, int] = "", 0, 0

    def read(self) -> None:
        """Take what has come."""
        data = self.connection.recv(1 << 18)
        heard = perf_counter_ns()
        if self._data:
            data, self._data = self._data + data, b""
        place = 0
        while place < len(data):
            if not self._left:
                size, length = _frame(data, place)
                if len(data) - place < min(_ENOUGH, size + length):
                    self._data = data[place:]
                    return
                place += size
                self._left = self._length = length
                found = _HEAD.match(data, place)
                self._message = (found[1].decode(), int(found[2]), int(found[3])) if found else ("", 0, 0)
            took = min(self._left, len(data) - place)
            self._left -= took
            place += took
            if not self._left:
                kind, version, told_ns = self._message
                if kind == "changes":
                    self.arrivals[version] = told_ns, heard
                    self.bytes += self._length


def _frame(data: bytes, place: int) -> tuple[int, int]:
    """The size of a frame's head and the length of its message; more than there is where the head is not whole."""
    if len(data) - place < 10:
        return _ENOUGH, 0
    length = data[place + 1]
    if length < 126:
        return 2, length
    if length == 126:
        return 4, int.from_bytes(data[place + 2 : place + 4], "big")
    return 10, int.from_bytes(data[place + 2 : place + 10], "big")

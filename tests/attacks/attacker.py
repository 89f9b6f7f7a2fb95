# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm, on threads of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.nodes import NodeProcess

SECONDS = 4.0


def memory(node: NodeProcess, kind: str = "VmRSS") -> int:
    """Bytes of memory that a node holds; `VmHWM` for the most since `forget_peak`."""
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) * 1024
    raise LookupError(kind)


def forget_peak(node: NodeProcess) -> None:
    """Let `VmHWM` begin anew."""
    Path(f"/proc/{node.process.pid}/clear_refs").write_text("5")


class Pour:
    """One connection that sends the same bytes again and again. It is opened again when the node has closed it.

    `sent`: bytes, on all connections.
    `longest`: bytes, on the one that took most.
    `answers`: the first bytes of what each connection was answered.
    """

    def __init__(self, node: NodeProcess, begin: bytes, more: bytes, *, read: bool, again: bool = True) -> None:
        self.sent = self.longest = self.connections = 0
        self.answers: list[bytes] = []
        self._node, self._begin, self._more, self._read, self._again = node, begin, more, read, again

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Pour until the node closes, or for as long as it goes on."""
        while goes_on():
            try:
                connection = socket.create_connection((self._node.host, self._node.port), timeout=0.2)
            except OSError:  # a busy machine takes its time: again
                time.sleep(0.001)
                continue
            with connection:
                self.connections += 1
                self._pour(connection, goes_on)
            if not self._again:
                return

    def _pour(self, connection: socket.socket, goes_on: Callable[[], bool]) -> None:
        sent, rest, answer = 0, memoryview(self._begin), b""
        connection.settimeout(0.0)
        while goes_on():
            stuck = True
            try:
                sent += (size := connection.send(rest))
                rest = rest[size:] or memoryview(self._more)
                stuck = False
            except BlockingIOError:
                pass
            except OSError:
                break
            if self._read:
                try:
                    read = connection.recv(1 << 20)
                    if not read:
                        break
                    answer = answer or read
                    stuck = False
                except BlockingIOError:
                    pass
                except OSError:
                    break
            if stuck:
                time.sleep(0.001)
        self.sent += sent
        self.longest = max(self.longest, sent)
        self.answers.append(answer)


@contextmanager
def attack(*pours: Pour, seconds: float = SECONDS) -> Iterator[None]:
    """Let all of them pour for some time, then run the block while they still do."""
    over = threading.Event()
    threads = [threading.Thread(target=pour.run, args=[lambda: not over.is_set()]) for pour in pours]
    for thread in threads:
        thread.start()
    try:
        over.wait(seconds)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Connections whose clients sent more than is answered at once. They take turns, and all others come in between.

In one turn of the event loop a client's connections get a share together as their bytes come in, and all that wait get
one more share together. Clients take turns in that, and each client's connections among themselves. So what a client
may cost others is bounded by time, however much it sends and on however many connections.
Owned by the event loop.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections import OrderedDict
from collections.abc import Callable
from time import perf_counter_ns
from typing import Protocol

SHARE_STEPS = 16  # a request with a body is two
SHARE_NS = 1_000_000  # a step of a connection's own share begins no later, one of those that wait ends within it


class Worker(Protocol):
    """A connection with steps to do."""

    @property
    def charged_client(self) -> str:
        """Whose turn it takes."""
        ...

    def work(self) -> bool:
        """Do one step of a millisecond at most. Returns whether another one can follow at once."""
        ...

    def wait(self) -> None:
        """Take no more bytes in until its turn comes."""
        ...


class Backlog:
    """The connections that wait for their turn, by client; of both the first that came first."""

    def __init__(self, clock: Callable[[], int] = perf_counter_ns) -> None:
        self._clock = clock
        self._waiting: dict[Worker, str] = {}  # and whose turn each takes
        self._clients: OrderedDict[str, OrderedDict[Worker, None]] = OrderedDict()  # the next to have a turn first
        self._scheduled = False
        self._used: dict[str, int] = {}  # of its share, by each client that had some of it in this turn

    def __len__(self) -> int:
        return len(self._waiting)

    def serve(self, worker: Worker) -> None:
        """Let a connection work at once, as long as its client's share lasts. What is left waits."""
        if worker in self._waiting:
            worker.wait()
            return
        client = worker.charged_client
        used = self._used.get(client, 0)
        steps = SHARE_STEPS if used < SHARE_NS else 0
        began = now = self._clock()
        more = True
        while more and steps and used + now - began < SHARE_NS:
            steps -= 1
            more = worker.work()
            now = self._clock()
        if not self._used:
            get_running_loop().call_soon(self._used.clear)
        self._used[client] = used + now - began
        if more:
            worker.wait()
            self.add(worker)

    def add(self, worker: Worker) -> None:
        """Let a connection work when its turn comes."""
        if worker not in self._waiting:
            client = self._waiting[worker] = worker.charged_client
            self._clients.setdefault(client, OrderedDict())[worker] = None
        if not self._scheduled:
            self._scheduled = True
            get_running_loop().call_soon(self._turn)

    def _next(self) -> Worker:
        """Take out the connection whose turn it is. Its client's next one has its turn after the other clients'."""
        client, workers = self._clients.popitem(last=False)
        worker, _ = workers.popitem(last=False)
        if workers:
            self._clients[client] = workers
        del self._waiting[worker]
        return worker

    def _turn(self) -> None:
        """Let those that wait work, one step each in turn, as long as one share lasts.

        A step begins if one as long as the last would end within the share: two websockets' handshakes would not.
        """
        self._scheduled = False
        now = self._clock()
        ends = now + SHARE_NS
        steps = last = 0
        try:
            while self._waiting and steps < SHARE_STEPS and (not steps or now + last <= ends):
                steps += 1
                worker = self._next()
                if worker.work():
                    self.add(worker)
                began, now = now, self._clock()
                last = now - began
        finally:
            if self._waiting and not self._scheduled:
                self._scheduled = True
                get_running_loop().call_soon(self._turn)

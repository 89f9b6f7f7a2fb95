# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An open-loop client: the time to send each call is set beforehand, and its latency counts from that time.

A closed-loop client waits for a server that stands still, and so measures the stall once. Here every call that should
have been sent meanwhile counts it. The loop never sleeps, because timers are late by up to a millisecond; it has a core
to itself. Single thread.
"""

from __future__ import annotations

import gc
import select
import socket
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from random import Random
from time import perf_counter_ns
from typing import NamedTuple, Self

CONNECTIONS = 256
PATIENCE_SECONDS = 20.0


class OpenLoopRun(NamedTuple):
    """What a run measured, in nanoseconds, in order of sending times.

    `latencies`: from the time to send a call to its answer.
    `sent_late`: the client's own part of it: how late it sent although a connection was free.
    `times`: the times to send, counted from `began`.
    `began`: the start, by `perf_counter_ns`.
    """

    latencies: array[int]
    sent_late: array[int]
    times: Sequence[int] = ()
    began: int = 0


class Scrape(NamedTuple):
    """One GET /metrics while the load ran."""

    seconds: float
    bytes: int


class OpenLoopFailed(Exception):
    """A call was not answered, or not with 200 or 201."""


def steady(rate: float, count: int) -> array[int]:
    """Sending times in ns from the start, evenly spaced."""
    return array("q", (round(n * 1e9 / rate) for n in range(count)))


def poisson(rate: float, count: int, seed: int = 1) -> array[int]:
    """Sending times in ns as independent callers make them: exponential gaps, the same ones each time."""
    random = Random(seed)
    at, times = 0.0, array("q")
    for _ in range(count):
        at += random.expovariate(rate) * 1e9
        times.append(round(at))
    return times


class OpenLoop:
    """Kept connections to one loopback port, closed when its context ends.

    `further_ports`: connections go to these in turn with the first.
    """

    def __init__(self, port: int, connections: int = CONNECTIONS, further_ports: Sequence[int] = ()) -> None:
        self._ports = cycle((port, *further_ports))
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self.scrapes: list[Scrape] = []
        self._listeners: dict[int, Callable[[], None]] = {}
        self._listeners_poll = select.epoll()
        try:
            for _ in range(connections):
                self._connect()
        except OSError:
            self.close()
            raise

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", next(self._ports)), timeout=5)
        self._sockets[connection.fileno()] = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._poll.register(connection, select.EPOLLIN)
        return connection

    def listen(self, connection: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` whenever there is something to read on a connection of the caller's, during runs; one in
        each turn, so that calls do not wait."""
        self._listeners[connection.fileno()] = on_readable
        self._listeners_poll.register(connection, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._sockets.values():
            connection.close()
        self._poll.close()
        self._listeners_poll.close()

    def run(self, times: Sequence[int], calls: Iterator[bytes], *, scrape_every_seconds: float = 0.0) -> OpenLoopRun:
        """Send the calls at their times and wait for all answers; optionally scrape /metrics meanwhile.

        Raises OpenLoopFailed on any answer but 200 and 201, and where answers stop coming.
        """
        gc.collect()
        gc.disable()
        try:
            return self._run(times, calls, round(scrape_every_seconds * 1e9))
        finally:
            gc.enable()

    def _run(self, times: Sequence[int], calls: Iterator[bytes], scrape_every_ns: int) -> OpenLoopRun:
        sockets, poll = self._sockets, self._poll.poll
        listeners, poll_listeners = self._listeners, self._listeners_poll.poll
        scraper = self._connect() if scrape_every_ns else None
        free = deque(number for number, connection in sockets.items() if connection is not scraper)
        total = len(times)
        latencies, sent_late = array("q", bytes(8 * total)), array("q", bytes(8 * total))
        waiting: dict[int, int] = {}  # connection to index of its call
        partial: dict[int, bytes] = {}
        sent = answered = starved_until = 0
        scrape_at, scrape_began, scraped = 0, 0, bytearray()
        start = heard = perf_counter_ns()
        while answered < total:
            now = perf_counter_ns() - start
            while sent < total and times[sent] <= now and free:
                number = free.popleft()
                sockets[number].send(next(calls))
                sent_late[sent] = now - max(times[sent], starved_until)
                waiting[number] = sent
                sent += 1
                now = perf_counter_ns() - start
            if scraper is not None and now >= scrape_at and not scrape_began:
                scraper.send(b"GET /metrics HTTP/1.1\r\nHost: n\r\nAccept: text/plain\r\n\r\n")
                scrape_began = now
                scrape_at = now + scrape_every_ns
            for number, _ in poll(0):
                data = sockets[number].recv(1 << 18)
                heard = perf_counter_ns()
                if not data:
                    raise OpenLoopFailed("the server closed a connection")
                if number not in waiting:
                    scraped += data
                    if whole(scraped):
                        self.scrapes.append(Scrape((heard - start - scrape_began) / 1e9, len(scraped)))
                        scrape_began, scraped = 0, bytearray()
                    continue
                if number in partial:
                    data = partial.pop(number) + data
                if not whole(data):
                    partial[number] = data
                    continue
                index = waiting.pop(number)
                latencies[index] = heard - start - times[index]
                answered += 1
                if not free:
                    starved_until = heard - start
                free.append(number)
            for number, _ in poll_listeners(0, 1) if listeners else ():
                listeners[number]()
            if waiting and perf_counter_ns() - heard > PATIENCE_SECONDS * 1e9:
                raise OpenLoopFailed(f"no answer for {PATIENCE_SECONDS:g} s, {len(waiting)} calls wait")
        return OpenLoopRun(latencies, sent_late, times, start)


def whole(data: bytes | bytearray) -> bool:
    """Whether `data` is a whole answer. Raises OpenLoopFailed where it is neither a 200 nor a 201."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not data.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 201 ")):
        raise OpenLoopFailed(f"expected a 200 or 201, got {bytes(data[:200])!r}")
    head = bytes(data[:end]).lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return data.endswith(b"\r\n0\r\n\r\n")
    length = head.find(b"content-length: ")
    if length < 0:
        raise OpenLoopFailed(f"an answer without Content-Length: {head!r}")
    return len(data) >= end + 4 + int(head[length + 16 :].partition(b"\r\n")[0])

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Peers for tests: a replica of its own with no network, and a server that answers the bytes it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from edge.addresses import EngineNames
from kvcache.index import CacheIndex
from kvcache.stamps import Stamps
from loadstats.ledger import Ledger, Phase
from replication.client import Connection
from replication.entities import Entities
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.journal import Journal
from replication.replica import Replica

Answer = Callable[[bytes, bytes], bytes | Awaitable[bytes | None] | None]
"""From a request's first line and body to the bytes to write; None hangs up."""


class Node:
    """A ledger, its journal and its replica, as the composition root puts them together."""

    def __init__(self, origin: str, *, capacity: int = 1000, spare: int = 0, **options: float) -> None:
        self.ledger = Ledger(**options)
        self.journal = Journal(self.ledger.replica.origin(origin), capacity=capacity, spare=spare)
        self.ledger.journal = self.journal
        self.index = CacheIndex()
        self.stamps = Stamps(count(1).__next__)
        self.requests = ReplicatedRequests(self.ledger, EngineNames().canonical)
        self.caches = ReplicatedCaches(self.index, self.ledger.journal_event, self.stamps.seen, EngineNames().canonical)
        self.replica = Replica(self.journal, Entities(self.requests, self.caches))
        self.pending = self.replica.pending[self.caches.name]

    def add(self, request_id: str, now: float = 0.0, ip: str = "10.0.0.1", length: int = 5) -> None:
        self.ledger.add(request_id, "c", ip, length, now, 1)

    def save(self, hashes: tuple[int, ...], ip: str = "10.0.0.1", now: float = 0.0) -> None:
        stamp = self.stamps.next()
        self.index.save("c", ip, hashes, now, stamp)
        self.caches.saved("c", ip, hashes, stamp, now)

    def lose(self, ip: str | None, now: float = 0.0) -> None:
        stamp = self.stamps.next()
        self.index.drop("c", ip, stamp, now)
        self.caches.dropped("c", ip, stamp, now)

    def live(self) -> set[str]:
        return {
            each.request_id for each in self.ledger.requests.records() if each.engine and each.phase is not Phase.DONE
        }


def http(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class RawPeer:
    """What it was asked, and how many connections it took."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[bytes, bytes]] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                line = head.partition(b"\r\n")[0]
                self.heads.append(head)
                self.asked.append((line, body))
                answer = self.answer(line, body)
                if isinstance(answer, Awaitable):
                    answer = await answer
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in list(self._open):
            writer.close()

    def connect(self, **options: float) -> Connection:
        return Connection(
            "127.0.0.1",
            self.port,
            dial_seconds=options.get("dial_seconds", 60.0),
            request_seconds=options.get("request_seconds", 60.0),
        )


@asynccontextmanager
async def raw_peer(answer: Answer) -> AsyncIterator[RawPeer]:
    peer = RawPeer(answer)
    server = await asyncio.start_server(peer.talk, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        peer.hang_up()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition of this same loop, turn by turn."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A peer of the Go version's kind: one HTTP request for each event, tried twice, no acknowledgement that lasts.

Runs on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

import msgspec

from loadstats.ledger import Added, Done, EngineName, FirstToken, FromIncarnation
from replication import paths
from replication.client import BadAnswer, Connection
from replication.entities import Event

# Used side by side, each for its share of the request ids: the Go version leaks a request whose end overtakes its add.
CONNECTIONS = 8
Known = Added | FirstToken | Done
_TYPES = {Added: b"load.stats.set", FirstToken: b"load.prompt.delete", Done: b"load.stats.delete"}


class LegacyPeer:
    """Its connections. `connect` makes one. Such a peer knows no secret and is sent none."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connections = [connect() for _ in range(CONNECTIONS)]
        for connection in self._connections:
            connection.keep_secret()

    def close(self) -> None:
        """Drop the connections."""
        for connection in self._connections:
            connection.close()

    async def push(self, events: Sequence[Event]) -> int:
        """Send all events that such a peer understands. Returns how many did not get through."""
        shares: list[list[Known]] = [[] for _ in self._connections]
        for event in events:
            plain = event.event if isinstance(event, FromIncarnation) else event
            if isinstance(plain, Known):
                shares[crc32(plain.request_id.encode()) % CONNECTIONS].append(plain)
        return sum(await asyncio.gather(*map(self._push_some, self._connections, shares)))

    async def _push_some(self, connection: Connection, events: Iterable[Known]) -> int:
        lost = 0
        for event in events:
            lost += not (await self._push_one(connection, event) or await self._push_one(connection, event))
        return lost

    @staticmethod
    async def _push_one(connection: Connection, event: Known) -> bool:
        headers = b"Event-Type: %b\r\nContent-Type: application/json\r\nTraceId: \r\n" % _TYPES[type(event)]
        members: dict[str, object] = {"request_id": event.request_id}
        if isinstance(event, Added):
            ip = EngineName.of(event.engine).ip  # the Go version knows engines by address alone
            members |= {"cluster": event.cluster, "ip": ip, "prompt_length": event.prompt_length}
        body = msgspec.json.encode(members)
        try:
            status, _ = await connection.ask("POST", paths.EVENT, body, headers)
        except (OSError, BadAnswer):
            return False
        return status == 200

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A Valkey or Redis as the log server of one log. Owner: the event loop.

Two connections: one for commands, one for the read that waits. Both are to one server: a name or the Sentinels may say
another one the next time. `docs/protocol.md` describes the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from replication.log.server import (
    MOST_ENTRIES,
    Entry,
    LogRefused,
    LogStanding,
    Position,
    ServerFacts,
    SnapshotPointer,
    StreamMissing,
)
from replication.log.valkey import scripts
from replication.log.valkey.connection import LogConnection
from replication.log.valkey.dial import Dial
from replication.log.valkey.fault import NoScript
from replication.log.valkey.replies import read_entries, read_facts, read_position, read_standing
from replication.log.valkey.scripts import Script
from replication.log.valkey.wire import Wire, Word
from runtime.config.log_url import LogUrl


class ValkeyServer:
    """Implements `replication.log.server.LogServer`.

    `url`: where the server is.
    `name`: of the log; all its keys have it as their hash tag.
    `dial_seconds`: for a connection.
    `patience_seconds`: for a reply.
    """

    def __init__(self, url: LogUrl, name: str, *, dial_seconds: float, patience_seconds: float) -> None:
        self._dial = Dial(url, dial_seconds=dial_seconds, patience_seconds=patience_seconds)
        self._commands = LogConnection(self._open_commands)
        self._reads = LogConnection(self._dial.open)
        tag = f"{{{name}}}:"
        self._generation = f"{tag}generation"
        self._stream = f"{tag}stream".encode()
        self._nodes = f"{tag}nodes"
        self._snapshot = f"{tag}snapshot"
        self._slices = f"{tag}snapshot:"
        self._writer = f"{tag}writer"

    async def append(self, body: bytes) -> Position:
        """Append an entry. Raises StreamMissing if there is no stream."""
        reply = await self._commands.ask(b"XADD", self._stream, b"NOMKSTREAM", b"*", b"b", body)
        if reply is None:
            raise StreamMissing("the stream of the log is missing")
        return read_position(reply)

    async def read(self, after: Position, wait_seconds: float) -> list[Entry]:
        """Return the entries after a position. Waits up to `wait_seconds` for the first."""
        block = (b"BLOCK", max(1, round(wait_seconds * 1000))) if wait_seconds > 0 else ()
        self._reads.drop_cancelled()  # this read would wait behind it
        command = (b"XREAD", b"COUNT", MOST_ENTRIES, *block, b"STREAMS", self._stream, _written(after))
        reply = await self._reads.ask(*command, wait_seconds=wait_seconds)
        return read_entries(reply)

    async def trim(self, behind: Position) -> None:
        """Drop the entries before a position. Some of them stay where a block of the stream has others, too."""
        await self._commands.ask("XTRIM", self._stream, "MINID", "~", _written(behind), "LIMIT", 1_000_000)

    async def announce(self, origin: str, body: bytes, own: Position | None) -> LogStanding:
        """Replace a node's announcement and return how the log stands."""
        keys = (self._nodes, self._generation, self._stream, self._snapshot, self._writer)
        asked = _written(own) if own is not None else ""
        reply = await self._run(scripts.ANNOUNCE, keys, origin, body, asked)
        return read_standing(reply, asked=own is not None)

    async def forget(self, origin: str, body: bytes) -> None:
        """Remove a node's announcement if it is still this one."""
        await self._run(scripts.FORGET, (self._nodes,), origin, body)

    async def begin(self, expected: str, generation: str) -> bool:
        """Begin a generation if the present one is `expected`. Makes the stream if it is missing."""
        return bool(await self._run(scripts.BEGIN, (self._generation, self._stream), expected, generation))

    async def take_lease(self, token: str, seconds: float) -> bool:
        """Take the lease of the snapshot's writer, or renew it. Returns False if it is another token's."""
        return bool(await self._run(scripts.TAKE_LEASE, (self._writer,), token, _milliseconds(seconds)))

    async def write_slices(self, token: str, snapshot: str, slices: Sequence[bytes], seconds: float) -> None:
        """Append slices to an unfinished snapshot. Raises LeaseLost if the lease is not this token's."""
        keys = (self._writer, self._slices + snapshot)
        await self._run(scripts.WRITE_SLICES, keys, token, _milliseconds(seconds), *slices)

    async def commit(self, token: str, pointer: SnapshotPointer) -> None:
        """Finish a snapshot and trim the stream behind the one before. Raises LeaseLost or LogRefused."""
        keys = (self._writer, self._generation, self._snapshot, self._stream, self._slices + pointer.snapshot)
        await self._run(
            scripts.COMMIT,
            keys,
            token,
            pointer.generation,
            pointer.snapshot,
            _written(pointer.position),
            pointer.slices,
            pointer.bytes,
            int(pointer.cold),
            self._slices,
        )

    async def release(self, token: str, snapshot: str) -> None:
        """Release the lease if it is this token's, and drop an unfinished snapshot."""
        await self._run(scripts.RELEASE, (self._writer, self._slices + snapshot), token)

    async def slices(self, snapshot: str, first: int, most: int) -> list[bytes]:
        """Return slices of a snapshot from number `first` on; fewer if there are no more."""
        if most < 1:
            return []
        found = await self._commands.ask("LRANGE", self._slices + snapshot, first, first + most - 1)
        return [bytes(each) for each in found]

    async def facts(self) -> ServerFacts:
        """Return what the server says of itself."""
        info = await self._commands.ask("INFO")
        settings: Any = []
        with suppress(LogRefused):  # servers that are rented do not show their settings
            settings = await self._commands.ask("CONFIG", "GET", "save") + await self._commands.ask(
                "CONFIG", "GET", "appendfsync"
            )
        return read_facts(info, settings, self._dial.version)

    async def close(self) -> None:
        """Drop the connections."""
        self._commands.close()
        self._reads.close()

    async def _open_commands(self) -> Wire:
        """Open the connection for commands. Reads open theirs anew: the one before may lead to a server that was left,
        and would say for ever that there is nothing new."""
        wire = await self._dial.open()
        self._reads.close()
        return wire

    async def _run(self, script: Script, keys: Sequence[Word], *words: Word) -> Any:
        """Run a script. It is sent whole only where the server does not have it yet."""
        try:
            return await self._commands.ask("EVALSHA", script.digest, len(keys), *keys, *words)
        except NoScript:
            return await self._commands.ask("EVAL", script.text, len(keys), *keys, *words)


def open_log_server(url: LogUrl, name: str, *, dial_seconds: float, patience_seconds: float) -> ValkeyServer:
    """Return the log server that a URL names. It connects when it is first asked."""
    return ValkeyServer(url, name, dial_seconds=dial_seconds, patience_seconds=patience_seconds)


def _written(position: Position) -> bytes:
    return b"%d-%d" % position


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))

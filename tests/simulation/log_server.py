# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A log server as it is in memory, with what may befall one: flushes, evictions, copies that come back, a clock that
jumps. Each operation is one step, as in Valkey or Redis."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from copy import copy

from msgspec.structs import replace

from replication.log.server import (
    BEGINNING,
    MOST_ENTRIES,
    Entry,
    LeaseLost,
    LogFull,
    LogRefused,
    LogStanding,
    Position,
    ServerFacts,
    SnapshotPointer,
    StreamMissing,
)


class Stream:
    """A stream: entries in order."""

    def __init__(self, last: Position = BEGINNING) -> None:
        self.entries: list[Entry] = []
        self.last = last

    def copied(self) -> Stream:
        found = Stream(self.last)
        found.entries = list(self.entries)
        return found


class Slices:
    """A snapshot's slices. `ends_ms`: when it goes; None: it stays."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.ends_ms: int | None = None

    def copied(self) -> Slices:
        found = copy(self)
        found.bodies = list(self.bodies)
        return found


class SimLogServer:
    """The data of one log. `clock_ms` returns the server's time. `most_bytes`: there is no room for more."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self.clock_ms = clock_ms
        self.most_bytes = 1 << 60
        self.on_append: list[Callable[[], None]] = []
        self.flush()

    # What befalls it

    def flush(self) -> None:
        """Lose everything."""
        self.generation = ""
        self.stream: Stream | None = None
        self.nodes: dict[str, bytes] = {}
        self.pointer: SnapshotPointer | None = None
        self.before: SnapshotPointer | None = None
        self.snapshots: dict[str, Slices] = {}
        self.writer = ""
        self.writer_ends_ms = 0

    def evict(self, what: int) -> None:
        """Lose one key."""
        match what % 6:
            case 0:
                self.generation = ""
            case 1:
                self.stream = None
            case 2:
                self.nodes = {}
            case 3:
                self.pointer = self.before = None
            case 4:
                self.snapshots = {}
            case _:
                self.writer = ""

    def copied(self) -> SimLogServer:
        """Return a copy of the data, as a replica or a file may have it."""
        found = copy(self)
        found.nodes = dict(self.nodes)
        found.stream = None if self.stream is None else self.stream.copied()
        found.snapshots = {name: slices.copied() for name, slices in self.snapshots.items()}
        return found

    def become(self, other: SimLogServer) -> None:
        """Go on from a copy."""
        data = other.copied()
        for name in ("generation", "stream", "nodes", "pointer", "before", "snapshots", "writer", "writer_ends_ms"):
            setattr(self, name, getattr(data, name))

    @property
    def bytes(self) -> int:
        """How much it holds."""
        stream = 0 if self.stream is None else sum(len(entry.body) for entry in self.stream.entries)
        return stream + sum(len(body) for slices in self.snapshots.values() for body in slices.bodies)

    # The stream

    def append(self, body: bytes) -> Position:
        stream = self.stream
        if stream is None:
            raise StreamMissing("there is no stream")
        self._check_room()
        now = self.clock_ms()
        last = stream.last
        stream.last = Position(now, 0) if now > last.ms else Position(last.ms, last.number + 1)
        stream.entries.append(Entry(stream.last, body))
        for each in list(self.on_append):
            each()
        return stream.last

    def read(self, after: Position) -> list[Entry]:
        if self.stream is None:
            return []
        entries = self.stream.entries
        at = bisect_right(entries, after, key=lambda entry: entry.position)
        return entries[at : at + MOST_ENTRIES]

    def trim(self, behind: Position) -> None:
        if self.stream is not None:
            entries = self.stream.entries
            del entries[: bisect_left(entries, behind, key=lambda entry: entry.position)]

    # Who is there

    def announce(self, origin: str, body: bytes, own: Position | None) -> LogStanding:
        self.nodes[origin] = body
        stream = self.stream
        self._expire()
        return LogStanding(
            self.clock_ms(),
            self.generation,
            stream.entries[0].position if stream is not None and stream.entries else None,
            None if stream is None else stream.last,
            0 if stream is None else len(stream.entries),
            own is None or (stream is not None and any(entry.position == own for entry in reversed(stream.entries))),
            dict(self.nodes),
            self.pointer,
            self.writer,
        )

    def forget(self, origin: str, body: bytes) -> None:
        if self.nodes.get(origin) == body:
            del self.nodes[origin]

    def begin(self, expected: str, generation: str) -> bool:
        if self.generation not in (expected, generation):
            return False
        self._check_room()
        self.generation = generation
        if self.stream is None:
            self.stream = Stream()
            self.append(b"")
        return True

    # Snapshots

    def take_lease(self, token: str, seconds: float) -> bool:
        self._expire()
        if self.writer not in ("", token):
            return False
        self.writer, self.writer_ends_ms = token, self.clock_ms() + int(seconds * 1000)
        return True

    def write_slices(self, token: str, snapshot: str, slices: Sequence[bytes], seconds: float) -> None:
        self._check_lease(token)
        self._check_room()
        found = self.snapshots.setdefault(snapshot, Slices())
        found.bodies += slices
        found.ends_ms = self.writer_ends_ms = self.clock_ms() + int(seconds * 1000)

    def commit(self, token: str, pointer: SnapshotPointer) -> None:
        if self.pointer is not None and self.pointer.snapshot == pointer.snapshot:
            return  # the reply to the first one was lost
        self._check_lease(token)
        before, slices = self.pointer, self.snapshots.get(pointer.snapshot)
        if pointer.generation != self.generation:
            raise LogRefused("another generation has begun")
        if slices is None or len(slices.bodies) != pointer.slices:
            raise LogRefused("slices are missing")
        if before is not None and before.generation == self.generation and before.position > pointer.position:
            raise LogRefused("a later snapshot is there")
        slices.ends_ms = None
        if self.before is not None:
            self.snapshots.pop(self.before.snapshot, None)
        self.before, self.pointer = before, replace(pointer, written_ms=self.clock_ms())
        self.writer = ""
        if before is not None and before.generation == self.generation:
            self.trim(before.position)

    def release(self, token: str, snapshot: str) -> None:
        self._expire()
        if self.writer == token:
            self.writer = ""
            self.snapshots.pop(snapshot, None)

    def slices(self, snapshot: str, first: int, most: int) -> list[bytes]:
        self._expire()
        found = self.snapshots.get(snapshot)
        return [] if found is None else found.bodies[first : first + most]

    def facts(self) -> ServerFacts:
        return ServerFacts("Valkey 9.1.0", "noeviction", self.bytes, self.most_bytes, "none")

    def _check_lease(self, token: str) -> None:
        self._expire()
        if self.writer != token:
            raise LeaseLost("another node writes a snapshot")

    def _check_room(self) -> None:
        if self.most_bytes < 1 << 60 and self.bytes >= self.most_bytes:
            raise LogFull("there is no room for more")

    def _expire(self) -> None:
        now = self.clock_ms()
        if self.writer and self.writer_ends_ms <= now:
            self.writer = ""
        for name in [name for name, each in self.snapshots.items() if each.ends_ms is not None and each.ends_ms <= now]:
            del self.snapshots[name]

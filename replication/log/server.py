# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the log asks of its server: a Valkey or Redis, or a simulated one in the tests. Immutable types and one
protocol, without I/O.

A log server holds, under one name: a random generation, a stream of entries, one announcement for each node's life, a
pointer to the latest snapshot, slices of snapshots, and the lease of the node that writes one. It knows nothing of what
entries, announcements and slices say. `docs/protocol.md` describes the keys.

Each operation may fail with `LogAway`, `LogFull` or `LogRefused`. One that failed may have been done: all of them
can be done twice. There is one owner, the event loop. `read` may wait while another operation is under way, so it has a
connection of its own. Other operations may run side by side too. A log server connects by itself, at the first
operation and after each failure. It gives an operation up whose server was silent for `PATIENCE_SECONDS` (`read`: that
and its own wait).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

PATIENCE_SECONDS: Final = 2.0
"""How long a log server may be silent before an operation fails with `LogAway`."""

MOST_ENTRIES: Final = 64
"""Of one answer to `read`."""


class LogError(Exception):
    """The log server did not do what was asked. The text is one plain sentence for people, without a secret."""


class LogAway(LogError):
    """It cannot be reached, does not answer, or cannot write now (loading, read-only, failing over)."""


class LogFull(LogError):
    """It has no memory for more."""


class LogRefused(LogError):
    """It answers and will not do it: a wrong password, no permission, too old, a key of another type."""


class StreamMissing(LogError):
    """There is no stream to append to. It is never made by an append."""


class LeaseLost(LogError):
    """The lease of the snapshot's writer is not this node's any more."""


class Position(NamedTuple):
    """The id of an entry. They grow within a generation.

    `ms`: the log server's clock when the entry was appended.
    `number`: tells those of one millisecond apart.
    """

    ms: int
    number: int


BEGINNING: Final = Position(0, 0)
"""Before every entry."""


class Entry(NamedTuple):
    """One entry of the stream. `body` is empty in the one that makes the stream."""

    position: Position
    body: bytes


class SnapshotPointer(Struct, frozen=True):
    """Which snapshot is the latest.

    `generation`: of the log when it was written.
    `snapshot`: its id.
    `position`: all entries up to here are in it.
    `slices`: how many slices it has.
    `bytes`: of all slices.
    `written_ms`: when it was committed, by the log server's clock. The log server fills it in.
    `cold`: its writer had begun with nothing and lacks what was reported before.
    """

    generation: str
    snapshot: str
    position: Position
    slices: int
    bytes: int
    written_ms: int = 0
    cold: bool = False


class LogStanding(Struct, frozen=True):
    """How the log stands, all of it read in one step.

    `now_ms`: the log server's clock.
    `generation`: empty if there is none.
    `first`, `last`: of the stream's entries, the first that is there and the last that ever was; None: no stream.
    `length`: how many entries there are.
    `own_there`: whether the entry asked about is there. True if none was.
    `announcements`: by origin, what nodes announced. Those that said goodbye are not among them.
    `pointer`: None if there is no snapshot.
    `writer`: the token in the snapshot writer's lease; empty if it is free.
    """

    now_ms: int
    generation: str
    first: Position | None
    last: Position | None
    length: int
    own_there: bool
    announcements: Mapping[str, bytes]
    pointer: SnapshotPointer | None = None
    writer: str = ""


class ServerFacts(Struct, frozen=True):
    """What a log server says of itself.

    `version`: such as "Valkey 9.1.0".
    `policy`: its `maxmemory-policy`; "noeviction" is the right one. Empty if it does not say.
    `used_bytes`, `most_bytes`: its memory; `most_bytes` is 0 where it has no bound.
    `persistence`: whether it writes to a disk, in a few words for people, as "append-only, every second".
    """

    version: str
    policy: str
    used_bytes: int
    most_bytes: int
    persistence: str = ""


class LogServer(Protocol):
    """The log server of one log. Each operation may raise `LogAway`, `LogFull` or `LogRefused`, and what it says."""

    # The stream

    async def append(self, body: bytes) -> Position:
        """Append an entry (`XADD NOMKSTREAM`). Returns its position. Raises StreamMissing if there is no stream."""

    async def read(self, after: Position, wait_seconds: float) -> list[Entry]:
        """Return the entries after a position, `MOST_ENTRIES` at the most, in their order. Waits up to `wait_seconds`
        for the first (`XREAD BLOCK`); 0 does not wait. Empty if there are none, and if there is no stream."""

    async def trim(self, behind: Position) -> None:
        """Drop the entries before a position, and not the one at it. It may leave some of them."""

    # Who is there

    async def announce(self, origin: str, body: bytes, own: Position | None) -> LogStanding:
        """Replace a node's announcement and return how the log stands, in one step: also where the memory is full, and
        where there is no generation. `own` is the position of an entry to look for."""

    async def forget(self, origin: str, body: bytes) -> None:
        """Remove a node's announcement if it is still this one."""

    async def begin(self, expected: str, generation: str) -> bool:
        """Begin a generation if the present one is `expected`; empty: if there is none. Makes the stream, with an empty
        entry, if it is missing, and leaves all else as it is. Returns False if another generation is there."""

    # Snapshots

    async def take_lease(self, token: str, seconds: float) -> bool:
        """Take the lease of the snapshot's writer, or renew it. Returns False if it is another token's."""

    async def write_slices(self, token: str, snapshot: str, slices: Sequence[bytes], seconds: float) -> None:
        """Append slices to an unfinished snapshot, which goes after so many seconds unless more is written or it is
        committed. Renews the lease for as long. Raises LeaseLost if it is not this token's."""

    async def commit(self, token: str, pointer: SnapshotPointer) -> None:
        """Finish a snapshot, in one step: its slices stay, the pointer is this one, the snapshot before it is kept, the
        one before that is dropped, and the stream is trimmed behind the position of the one before if that is of the
        same generation. The lease is released. Raises LeaseLost if it is not this token's, LogRefused if the
        generation is another one, slices are missing or the pointer would go back."""

    async def release(self, token: str, snapshot: str) -> None:
        """Release the lease if it is this token's, and drop an unfinished snapshot."""

    async def slices(self, snapshot: str, first: int, most: int) -> list[bytes]:
        """Return slices of a snapshot from number `first` on (0 is the first one); fewer if there are no more."""

    # The log server itself

    async def facts(self) -> ServerFacts:
        """Return what the log server says of itself."""

    async def close(self) -> None:
        """Drop the connections."""

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What each node announces in the log server, twice a second: one msgpack array. Immutable."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Annotated, Final
from zlib import crc32

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from replication.entities import Number, OriginName
from replication.features import FeatureNames
from replication.log.server import Position
from replication.paths import VERSION

MOST_BYTES: Final = 256 * 1024
"""Of an announcement. A longer one is not read."""

UNKNOWN_AGE: Final = -1

Text = Annotated[str, Meta(max_length=128)]


class Announcement(Struct, frozen=True, array_like=True):
    """One node's life, as it is now.

    `version`: the protocol's.
    `origin`: the node's own.
    `beat`: counts its announcements. One that does not change any more is of a node that is gone or cut off.
    `generation`: of the log that `position` is in.
    `position`: up to here it has taken every entry.
    `caught_up`: that was the end of the stream.
    `joined`: it has caught up with the others.
    `cold`: it began with nothing and lacks what was reported before.
    `oldest`: the number of the first event that it can append again.
    `vector`: its watermarks, its own origin among them.
    `digest`: of the digests of all buckets.
    `snapshot`: the latest snapshot that it knows of; `snapshot_age_ms` is how old that is by its own clock, below 0 if
        it cannot say.
    `loaded`: the last snapshot that it has merged, written, or found to be of no use.
    `address`: where it takes calls.
    `machine`: what its machine calls itself. A life with the same address there stands in for the ones before.
    `features`: what it understands; see `features.py`.
    `left`: it has said goodbye. One that vanishes without is behind.
    """

    version: int
    origin: OriginName
    beat: Number
    generation: Text
    position: tuple[Number, Number]
    caught_up: bool
    joined: bool
    cold: bool
    oldest: Number
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    digest: Number
    snapshot: Text = ""
    snapshot_age_ms: int = UNKNOWN_AGE
    loaded: Text = ""
    address: Annotated[str, Meta(max_length=300)] = ""
    machine: Annotated[str, Meta(max_length=300)] = ""
    features: FeatureNames = []
    left: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """Where it is: one life at a time can be there."""
        return self.address, self.machine

    @property
    def at(self) -> Position:
        """`position` as a position."""
        return Position(*self.position)


_decode = Decoder(Announcement).decode
_encode = Encoder().encode


def written(announcement: Announcement) -> bytes:
    """Return an announcement as it stands in the log server."""
    return _encode(announcement)


def read(body: bytes) -> Announcement | None:
    """Return an announcement; None for what is none of this version."""
    if len(body) > MOST_BYTES:
        return None
    try:
        announcement = _decode(body)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
        return None
    return announcement if announcement.version == VERSION else None


def digest_of(digests: Sequence[int]) -> int:
    """Return one number for the digests of all buckets."""
    return crc32(pack(f">{len(digests)}Q", *digests))

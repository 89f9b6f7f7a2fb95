# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands in the log's entries. Immutable.

Most are a `Push` as it travels on the mesh, the same bytes. Two more are for repairs. Each begins with a letter, as no
push does: `S` and a Summary, `B` and `Buckets`. A third is for people: `N` and a `NoticesEntry`. An entry of another
kind is passed over.
"""

from __future__ import annotations

import zlib
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from replication.entities import Number, OriginName, Summary
from replication.link import MAX_STATE_BYTES
from replication.messages import Push
from replication.notices import Copies
from replication.push_reader import UNREADABLE, PushRead, PushReader
from runtime.notices.notice import OriginText

SUMMARY: Final = b"S"
BUCKETS: Final = b"B"
NOTICES: Final = b"N"
# Of an array of 6 or 7 members, as pushes are.
PUSHES: Final = (b"\x96", b"\x97")


class Unreadable(Exception):
    """An entry is none of ours, or of a later release."""


class Buckets(Struct, frozen=True, array_like=True):
    """Some buckets of an entity, for all who differ in them.

    `version`: the protocol's.
    `origin`: of the node that has written them.
    `vector`: its watermarks, read before the buckets.
    `entity`: the entity's name.
    `state`: a State in the entity's layout, compressed with zlib.
    """

    version: int
    origin: OriginName
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    entity: Annotated[str, Meta(max_length=64)]
    state: bytes


class NoticesEntry(Struct, frozen=True, array_like=True):
    """Some of a node's own notices.

    `version`: the protocol's.
    `origin`: of the log of notices that they are from.
    `copies`: the oldest change first.
    """

    version: int
    origin: OriginText
    copies: Copies


_encode = Encoder().encode
_read_summary = Decoder(Summary).decode
_read_buckets = Decoder(Buckets).decode
_read_notices = Decoder(NoticesEntry).decode
_pushes = PushReader()


def summary_entry(summary: Summary) -> bytes:
    """Return an entry with a node's Summary."""
    return SUMMARY + _encode(summary)


def buckets_entry(buckets: Buckets) -> bytes:
    """Return an entry with buckets."""
    return BUCKETS + _encode(buckets)


def notices_entry(notices: NoticesEntry) -> bytes:
    """Return an entry with notices."""
    return NOTICES + _encode(notices)


def packed(state: bytes) -> bytes:
    """Return a State as it stands in `Buckets`."""
    return zlib.compress(state, 1)


def unpacked(state: bytes) -> bytes:
    """Return what `packed` was given. Raises Unreadable."""
    opened = zlib.decompressobj()
    try:
        body = opened.decompress(state, MAX_STATE_BYTES)
    except zlib.error as error:
        raise Unreadable(f"a state: {error}") from None
    if opened.unconsumed_tail:
        raise Unreadable(f"a state of more than {MAX_STATE_BYTES} bytes")
    return body


def read_entry(body: bytes) -> PushRead | Summary | Buckets | NoticesEntry:
    """Return what an entry holds. Raises Unreadable."""
    try:
        kind = body[:1]
        if kind in PUSHES:
            return _pushes.read(body)
        if kind == SUMMARY:
            return _read_summary(memoryview(body)[1:])
        if kind == BUCKETS:
            return _read_buckets(memoryview(body)[1:])
        if kind == NOTICES:
            return _read_notices(memoryview(body)[1:])
    except UNREADABLE as error:
        raise Unreadable(str(error) or type(error).__name__) from None
    raise Unreadable(f"an entry of the kind {kind!r}")


def own_prefix(origin: str) -> bytes:
    """Return the bytes that each push of an origin begins with."""
    whole = _encode(Push(1, origin, 0, 0, 0, []))
    return whole[: whole.index(origin.encode()) + len(origin.encode())]

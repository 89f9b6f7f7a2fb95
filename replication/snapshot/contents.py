# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands in the frames of snapshots and tails: msgpack arrays that begin with a tag. Immutable.

What nodes hold stands in them as it travels between nodes: `Summary`, `State`s in their entity's layout, and `Push`es.
A snapshot is a head, slices, an end, and pages of history behind it, which earlier releases do not read. A tail is a
head, pushes and, after a clean stop, an end. `docs/protocol.md` describes them.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import DecodeError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder, decode

from replication.entities import Summary
from replication.snapshot.moment import Moment

FORMAT: Final = 1
"""Of both kinds of file. It changes when an earlier release would read a file wrongly."""


class FutureFormat(Exception):
    """A file was written by a later release."""


class SnapshotHead(Struct, frozen=True, array_like=True, tag=0):
    """The beginning of a snapshot.

    `format`: which version of this description it follows.
    `at`: when it was begun. Other frames say how much later they are.
    `first_tail`: the number of the first tail with events that it does not have.
    `alone`: the node had no peers, and could have none: what has no dot is nowhere else.
    `summary`: what the node held. Its vector was read before anything else.
    """

    format: int
    at: Moment
    first_tail: int
    alone: bool
    summary: Summary


class SnapshotSlice(Struct, frozen=True, array_like=True, tag=1):
    """Some buckets of an entity.

    `later_ms`: how long after the head they were read.
    `entity`: its name.
    `items`: how many copies they hold.
    `state`: a State in the entity's layout.
    `doubted`: which of the items may be over, and for how many seconds they are protected.
    """

    later_ms: int
    entity: str
    items: int
    state: bytes
    doubted: dict[str, int] = {}


class SnapshotEnd(Struct, frozen=True, array_like=True, tag=2):
    """The end of a snapshot. A file without it is torn.

    `later_ms`: how long after the head it was written.
    `slices`, `items`: how many there are, to be compared.
    `notices`: a list of `NoticeCopy`, apart, so that what is wrong with it spoils nothing else.
    """

    later_ms: int
    slices: int
    items: int
    notices: bytes = b""


class TailHead(Struct, frozen=True, array_like=True, tag=3):
    """The beginning of a tail.

    `format`: which version of this description it follows.
    `at`: when it was begun.
    """

    format: int
    at: Moment


class TailPush(Struct, frozen=True, array_like=True, tag=4):
    """Events of the node's own clients. Without events it is a sign of life.

    `later_ms`: how long after the head it was written.
    `push`: a Push.
    """

    later_ms: int
    push: bytes


class TailEnd(Struct, frozen=True, array_like=True, tag=5):
    """The end of a life that has written all that it took.

    `later_ms`: how long after the head.
    `handed_on`: all peers had acknowledged it.
    """

    later_ms: int
    handed_on: bool


class SnapshotHistory(Struct, frozen=True, array_like=True, tag=6):
    """A page of the history of load, behind a snapshot's end. One that cannot be read spoils nothing.

    `later_ms`: how long after the head it was read.
    `page`: a `HistoryPage`.
    """

    later_ms: int
    page: bytes


Content = SnapshotHead | SnapshotSlice | SnapshotEnd | TailHead | TailPush | TailEnd | SnapshotHistory

HEADS: Final = (0, 3)
"""The tags of heads, in any format."""

_decode: Any = Decoder(Content).decode
written = Encoder().encode


def read(body: bytes) -> Content:
    """Return what a frame holds. Raises FutureFormat, or ValueError for what is none of these."""
    try:
        content: Content = _decode(body)
    except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_format(body)
        raise ValueError(f"not to be read: {error}") from None
    if isinstance(content, SnapshotHead | TailHead) and content.format != FORMAT:
        raise FutureFormat(f"format {content.format}, and this release reads {FORMAT}")
    return content


def _check_format(body: bytes) -> None:
    """Raise FutureFormat if the head of a later format cannot be read at all."""
    try:
        found = decode(body)
    except Exception:
        return
    if not isinstance(found, list) or len(found) < 2 or found[0] not in HEADS:
        return
    if isinstance(found[1], int) and found[1] > FORMAT:
        raise FutureFormat(f"format {found[1]}, and this release reads {FORMAT}")

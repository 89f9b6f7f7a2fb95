# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What nodes say to each other, in msgpack arrays. `docs/protocol.md` describes every message; all are immutable.

Bounds are the same as for clients' calls: a bad peer cannot do more harm than a bad client.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from loadstats.ledger import BUCKETS, Copy, Event

VERSION = 1
MAX_EVENTS = 1024  # of one push: 1.5 ms of the receiver's loop

Number = Annotated[int, Meta(ge=0)]
OriginName = Annotated[str, Meta(min_length=1, max_length=128)]


class Push(Struct, frozen=True, array_like=True):
    """Events of the sender's own clients: numbers `first` and on. None: a sign of life.

    `oldest` is the first event that the sender can still push; whoever has not seen the one before it must pull.
    `age_ms` is how long ago the first of these was taken.
    """

    version: int
    origin: OriginName
    first: Number
    oldest: Number
    age_ms: Number
    events: Annotated[list[Event], Meta(max_length=MAX_EVENTS)]


class Ack(Struct, frozen=True, array_like=True):
    """Every event of the sender up to `watermark` is in. `origin` is the receiver's own; another one than last time
    says that it began anew. `joined`: it has caught up and is ready."""

    version: int
    origin: OriginName
    watermark: Number
    joined: bool


class Summary(Struct, frozen=True, array_like=True):
    """What a node holds: for each origin the last event before which it has seen all, for each bucket a digest."""

    version: int
    origin: OriginName
    joined: bool
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    digests: Annotated[list[Number], Meta(min_length=BUCKETS, max_length=BUCKETS)]


class Want(Struct, frozen=True, array_like=True):
    """Asks for whole buckets."""

    version: int
    buckets: Annotated[list[Annotated[int, Meta(ge=0, lt=BUCKETS)]], Meta(min_length=1, max_length=BUCKETS)]


class State(Struct, frozen=True, array_like=True):
    """Some of the buckets wanted, from the first on: as many as fit one answer, at least one."""

    version: int
    buckets: Annotated[list[tuple[Annotated[int, Meta(ge=0, lt=BUCKETS)], list[Copy]]], Meta(max_length=BUCKETS)]

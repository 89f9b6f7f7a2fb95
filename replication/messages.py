# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What nodes say to each other, in msgpack arrays. `docs/protocol.md` describes every message; all are immutable.

Bounds are the same as for clients' calls: a bad peer cannot do more harm than a bad client.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kvcache.index import BUCKETS as CACHE_BUCKETS
from kvcache.index import Copy as CacheCopy
from kvcache.index import Dropped as CacheDropped
from loadstats.ledger import BUCKETS, Copy
from loadstats.ledger import Event as LedgerEvent

VERSION = 1
MAX_HASHES = 16_384  # of one save, as for clients
MAX_EVENTS = 1024  # of one push: 1.5 ms of the receiver's loop

Number = Annotated[int, Meta(ge=0)]
ClusterName = Annotated[str, Meta(min_length=1, max_length=256)]
EngineText = Annotated[str, Meta(min_length=1, max_length=64)]
OwnerName = Annotated[str, Meta(min_length=1, max_length=256)]
Heard = tuple[Annotated[int, Meta(ge=1, le=2**53)], Annotated[int, Meta(ge=-(2**31), le=86_401)]]
OriginName = Annotated[str, Meta(min_length=1, max_length=128)]


class Saved(Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A client said that an engine holds a prompt in its cache. `stamp` orders saves and losses on all nodes."""

    cluster: ClusterName
    ip: EngineText
    stamp: Number
    hashes: Annotated[tuple[Number, ...], Meta(max_length=MAX_HASHES)]


class CacheLost(Struct, frozen=True, array_like=True, tag=8, gc=False):
    """A client said that an engine, or with None every engine of the cluster, has lost its cache."""

    cluster: ClusterName
    ip: EngineText | None
    stamp: Number


Event = LedgerEvent | Saved | CacheLost


class Push(Struct, frozen=True, array_like=True):
    """Events of the sender's own clients: numbers `first` and on. None: a sign of life.

    `oldest` is the first event that the sender can still push; whoever has not seen the one before it must pull.
    `age_ms` is how long ago event `first` was taken, `later_seconds` how much later each; empty: all within one.
    """

    version: int
    origin: OriginName
    first: Number
    oldest: Number
    age_ms: Number
    events: Annotated[list[Event], Meta(max_length=MAX_EVENTS)]
    later_seconds: Annotated[list[Number], Meta(max_length=MAX_EVENTS)] = []


class Ack(Struct, frozen=True, array_like=True):
    """Every event of the sender up to `watermark` is in. `origin` is the receiver's own; another one than last time
    says that it began anew. `joined`: it has caught up and is ready."""

    version: int
    origin: OriginName
    watermark: Number
    joined: bool


class Summary(Struct, frozen=True, array_like=True):
    """What a node holds: for each origin the last event before which it has seen all, for each bucket a digest.

    `owners` are gateways: when each last said that it lives (wall-clock ms), and for how many seconds that holds; a
    number below 0 where it is over.
    """

    version: int
    origin: OriginName
    joined: bool
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    digests: Annotated[list[Number], Meta(min_length=BUCKETS, max_length=BUCKETS)]
    owners: Annotated[dict[OwnerName, Heard], Meta(max_length=100_000)] = {}


class Want(Struct, frozen=True, array_like=True):
    """Asks for whole buckets."""

    version: int
    buckets: Annotated[list[Annotated[int, Meta(ge=0, lt=BUCKETS)]], Meta(min_length=1, max_length=BUCKETS)]


class CacheWant(Struct, frozen=True, array_like=True):
    """Asks for what engines hold in their caches, by the index's buckets."""

    version: int
    buckets: Annotated[list[Annotated[int, Meta(ge=0, lt=CACHE_BUCKETS)]], Meta(min_length=1, max_length=CACHE_BUCKETS)]


class CacheState(Struct, frozen=True, array_like=True):
    """The first of the buckets wanted, as many as fit one answer, at least one. `lost` comes before them.

    `whole`: the sender's index holds all that its watermarks cover, but for what it has evicted.
    """

    version: int
    whole: bool
    lost: Annotated[list[CacheDropped], Meta(max_length=100_000)]
    buckets: Annotated[
        list[tuple[Annotated[int, Meta(ge=0, lt=CACHE_BUCKETS)], list[CacheCopy]]], Meta(max_length=CACHE_BUCKETS)
    ]


class State(Struct, frozen=True, array_like=True):
    """Some of the buckets wanted, from the first on: as many as fit one answer, at least one."""

    version: int
    buckets: Annotated[list[tuple[Annotated[int, Meta(ge=0, lt=BUCKETS)], list[Copy]]], Meta(max_length=BUCKETS)]

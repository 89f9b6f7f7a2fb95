# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node of the first release (commit 50fcf32) takes from a peer: its messages and their bounds, as they were.

Not to be changed. Whatever a node of ours writes for such a peer must be read by these.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder

Number = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
EngineText = Annotated[str, Meta(min_length=1, max_length=64)]
TokenNum = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Milliseconds = Annotated[int, Meta(ge=1, le=2**53)]
OriginName = Annotated[str, Meta(min_length=1, max_length=128)]
Stamp = Annotated[int, Meta(ge=0, le=2**62)]
Seconds = Annotated[int, Meta(ge=0, le=2**31)]
Heard = tuple[Annotated[int, Meta(ge=1, le=2**53)], Annotated[int, Meta(ge=-(2**31), le=86_401)]]


class FirstAdded(Struct, array_like=True, tag=0):
    request_id: Name
    cluster: Name
    engine: EngineText
    prompt_length: TokenNum
    owner: Annotated[str, Meta(max_length=256)] = ""


class FirstFirstToken(Struct, array_like=True, tag=1):
    request_id: Name


class FirstDone(Struct, array_like=True, tag=2):
    request_id: Name


class FirstTokensCounted(Struct, array_like=True, tag=3):
    request_id: Name
    input_tokens: TokenNum
    output_tokens: TokenNum


class FirstRefreshed(Struct, array_like=True, tag=4):
    request_id: Name
    stamp_ms: Milliseconds


class FirstBeat(Struct, array_like=True, tag=5):
    owner: Name
    ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)]
    stamp_ms: Milliseconds


class FirstDropped(Struct, array_like=True, tag=6):
    cluster: Name
    engine: EngineText


class FirstSaved(Struct, array_like=True, tag=7):
    cluster: Name
    ip: EngineText
    stamp: Number
    hashes: Annotated[tuple[Number, ...], Meta(max_length=16_384)]


class FirstCacheLost(Struct, array_like=True, tag=8):
    cluster: Name
    ip: EngineText | None
    stamp: Number


FirstEvent = (
    FirstAdded
    | FirstFirstToken
    | FirstDone
    | FirstTokensCounted
    | FirstRefreshed
    | FirstBeat
    | FirstDropped
    | FirstSaved
    | FirstCacheLost
)


class FirstPush(Struct, array_like=True):
    version: int
    origin: OriginName
    first: Number
    oldest: Number
    age_ms: Number
    events: Annotated[list[FirstEvent], Meta(max_length=1024)]
    later_seconds: Annotated[list[Number], Meta(max_length=1024)] = []


class FirstAck(Struct, array_like=True):
    version: int
    origin: OriginName
    watermark: Number
    joined: bool


class FirstSummary(Struct, array_like=True):
    version: int
    origin: OriginName
    joined: bool
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    digests: Annotated[list[Number], Meta(min_length=1024, max_length=1024)]
    owners: Annotated[dict[Name, Heard], Meta(max_length=100_000)] = {}


class FirstCopy(Struct, array_like=True):
    request_id: Name
    phase: Annotated[int, Meta(ge=0, le=2)]
    remaining_seconds: Seconds
    cluster: Annotated[str, Meta(max_length=256)] = ""
    engine: Annotated[str, Meta(max_length=64)] = ""
    prompt_length: TokenNum = 0
    origin: Annotated[str, Meta(max_length=128)] = ""
    seq: Number = 0
    owner: Annotated[str, Meta(max_length=256)] = ""
    input_tokens: TokenNum = 0
    output_tokens: TokenNum = 0
    refreshed_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    age_seconds: Seconds = 0


class FirstState(Struct, array_like=True):
    version: int
    buckets: Annotated[list[tuple[Annotated[int, Meta(ge=0, lt=1024)], list[FirstCopy]]], Meta(max_length=1024)]


class FirstCacheCopy(Struct, array_like=True):
    cluster: Name
    ip: Name
    stamp: Stamp
    age_seconds: Seconds
    hashes: Annotated[tuple[Number, ...], Meta(max_length=64)]


class FirstCacheDropped(Struct, array_like=True):
    cluster: Name
    ip: Name | None
    stamp: Stamp
    age_seconds: Seconds


class FirstCacheState(Struct, array_like=True):
    version: int
    whole: bool
    lost: Annotated[list[FirstCacheDropped], Meta(max_length=100_000)]
    buckets: Annotated[list[tuple[Annotated[int, Meta(ge=0, lt=256)], list[FirstCacheCopy]]], Meta(max_length=256)]


read_push = Decoder(FirstPush).decode
read_ack = Decoder(FirstAck).decode
read_summary = Decoder(FirstSummary).decode
read_states = {"requests": Decoder(FirstState).decode, "caches": Decoder(FirstCacheState).decode}

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls' bodies and answers, as they go over the wire. Immutable."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from edge.body import ONE_FORM, DpRank, EngineAddress, Hash, Name, Port

# At a gateway's 512 bytes a block: a prompt of 8 MB. A save of as many takes 8 ms.
MAX_HASHES = 16_384
MAX_TOPK = 1_000
TOPK = 10
TOP_K = 5  # where it is spelled so

PromptHash = Annotated[
    tuple[Hash, ...],
    Meta(max_length=MAX_HASHES, description="64-bit hashes, one a block: each of the prompt up to that block's end"),
]


class NodeLocation(Struct, gc=False):
    """Where a prompt is, as a newer line of the Go version says it."""

    node: EngineAddress


class CacheSave(Struct, gc=False):
    """`POST /v1/cache/save`: an engine holds the prompt. A gateway sends null for a prompt without blocks.

    Either `ip` or `location` names the engine's address; `location` is how a newer line of the Go version does.
    """

    cluster: Name
    prompt_hash: PromptHash | None
    ip: EngineAddress | None = None
    port: Port | None = None
    dp_rank: DpRank | None = None
    location: NodeLocation | None = None


class CacheQuery(Struct, gc=False):
    """`POST /v1/cache/query`: who holds the prompt.

    `topk` and `top_k` are one member. 0 is the default of each spelling, as Go's zero value.
    """

    cluster: Name
    prompt_hash: PromptHash | None
    topk: Annotated[int, Meta(ge=0, le=MAX_TOPK, description="engines at most; 0: `[KVCache] TopK`")] | None = None
    top_k: (
        Annotated[int, Meta(ge=0, le=MAX_TOPK, description="the same, as a newer Go version spells it; 0: 5")] | None
    ) = None


class CacheDrop(Struct, gc=False):
    """`DELETE /v1/cache`: an engine, or without `ip` every engine of the cluster, has lost its cache."""

    cluster: Name
    ip: EngineAddress | None = None
    port: Port | None = None
    dp_rank: DpRank | None = None
    all: Annotated[bool, Meta(description="every engine at `ip`, whatever its port and rank")] = False


class CacheLocation(Struct, gc=False):
    """An engine that holds the prompt's beginning. `port` and `dp_rank` are of one that was named with them."""

    ip: Annotated[str, Meta(description=ONE_FORM)]
    length: Annotated[int, Meta(ge=1, description="how many of the prompt's leading blocks it holds")]
    port: int | UnsetType = UNSET
    dp_rank: int | UnsetType = UNSET


class CacheLocations(Struct, gc=False):
    """The engines that hold most of the prompt, the longest first, of equal ones the lower name as text."""

    locations: list[CacheLocation]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls' bodies and answers, as they go over the wire. Immutable."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from edge.body import EngineAddress, Hash, Name

# At a gateway's 512 bytes a block: a prompt of 8 MB. A save of as many takes 8 ms.
MAX_HASHES = 16_384
MAX_TOPK = 1_000
TOPK = 10

PromptHash = Annotated[
    tuple[Hash, ...],
    Meta(max_length=MAX_HASHES, description="64-bit hashes, one a block: each of the prompt up to that block's end"),
]


class CacheSave(Struct, gc=False):
    """`POST /v1/cache/save`: an engine holds the prompt. A gateway sends null for a prompt without blocks."""

    cluster: Name
    ip: EngineAddress
    prompt_hash: PromptHash | None


class CacheQuery(Struct, gc=False):
    """`POST /v1/cache/query`: who holds the prompt. A `topk` of 0 is the node's default too, as Go's zero value."""

    cluster: Name
    prompt_hash: PromptHash | None
    topk: Annotated[int, Meta(ge=0, le=MAX_TOPK, description="engines at most; 0: `[KVCache] TopK`")] | None = None


class CacheDrop(Struct, gc=False):
    """`DELETE /v1/cache`: an engine, or without `ip` every engine of the cluster, has lost its cache."""

    cluster: Name
    ip: EngineAddress | None = None


class CacheLocation(Struct, gc=False):
    """An engine that holds the prompt's beginning."""

    ip: Annotated[str, Meta(description="as it was reported")]
    length: Annotated[int, Meta(ge=1, description="how many of the prompt's leading blocks it holds")]


class CacheLocations(Struct, gc=False):
    """The engines that hold most of the prompt, the longest first, of equal ones the lower address as text."""

    locations: list[CacheLocation]

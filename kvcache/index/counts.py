# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of an index of caches. Owned by the index and changed under its lock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CacheCounts:
    """What the index holds (the first three) and what happened since it was made.

    `held_blocks` counts a block once for each engine that holds it. `hit_blocks` are those of `asked_blocks` that
    the best engine had. The last five are blocks that engines ceased to hold, by the reason.
    """

    held_blocks: int = 0
    engines: int = 0
    clusters: int = 0
    saves: int = 0
    queries: int = 0
    asked_blocks: int = 0
    hit_blocks: int = 0
    drops: int = 0
    evicted_engine_full: int = 0
    evicted_index_full: int = 0
    evicted_client_share: int = 0
    expired: int = 0
    dropped: int = 0

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The KV cache of one engine: what running requests hold, and prompts kept in what is free.

Like vLLM's: blocks that no request uses stay until their room is needed, the least recently used goes first, and of one
prompt the end before the beginning. Always true: `used` and the idle blocks together fit, except between a step that
grew `used` and `settle`.

Prompts are shared in blocks of 512 tokens, as the trace gives them. What is not shared is counted in tokens, as SGLang
does by default; vLLM's blocks of 16 would add 8 tokens a request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

BLOCK = 512


class KvPool:
    """The cache. `used` is in tokens: blocks that requests hold, and their tokens outside of blocks."""

    __slots__ = ("capacity", "evicted", "idle", "refs", "used")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self.evicted = 0
        self.refs: dict[int, int] = {}
        self.idle: OrderedDict[int, None] = OrderedDict()

    @property
    def unused(self) -> int:
        """How many tokens fit before a block has to go."""
        return self.capacity - self.used - BLOCK * len(self.idle)

    def match(self, blocks: Sequence[int], most: int) -> tuple[int, int]:
        """Return how many leading blocks of a prompt are here, at most `most`, and how many of these are idle."""
        refs, idle = self.refs, self.idle
        found = resting = 0
        for block in blocks[:most]:
            if block in refs:
                found += 1
            elif block in idle:
                found += 1
                resting += 1
            else:
                break
        return found, resting

    def hold(self, blocks: Sequence[int]) -> None:
        """Use blocks that are here."""
        refs, idle = self.refs, self.idle
        for block in blocks:
            if block in refs:
                refs[block] += 1
            else:
                del idle[block]
                refs[block] = 1
                self.used += BLOCK

    def publish(self, blocks: Sequence[int]) -> list[int]:
        """Turn tokens that a request computed into blocks that others can use. Returns those that are not here yet.

        The tokens are in `used` already. A block that another request computed meanwhile stays as it is.
        """
        refs, idle = self.refs, self.idle
        fresh = [block for block in blocks if block not in refs and block not in idle]
        for block in fresh:
            refs[block] = 1
        return fresh

    def release(self, blocks: Sequence[int], private: int) -> None:
        """Use blocks and tokens no more. The end of a prompt counts as used before its beginning."""
        refs, idle = self.refs, self.idle
        self.used -= private
        for block in reversed(blocks):
            left = refs[block] - 1
            if left:
                refs[block] = left
            else:
                del refs[block]
                idle[block] = None
                self.used -= BLOCK

    def settle(self) -> None:
        """Forget idle blocks until all fits."""
        over = self.used + BLOCK * len(self.idle) - self.capacity
        while over > 0:
            self.idle.popitem(last=False)
            self.evicted += 1
            over -= BLOCK

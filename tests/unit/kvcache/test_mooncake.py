# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real hour of chat: what the index finds of every prompt is what naive sets of unbounded size find."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from kvcache.index import CacheIndex


class Line(Struct):
    """One request of the trace: its prompt's blocks of 512 tokens."""

    timestamp: int
    hash_ids: tuple[int, ...]


@pytest.mark.no_cover
def test_the_hit_share_of_the_mooncake_trace_is_that_of_naive_sets(shared: Path) -> None:
    trace = shared / "traces" / "mooncake_conversation.jsonl"
    if not trace.is_file():
        pytest.skip("needs ../shared/traces/mooncake_conversation.jsonl, which is not part of the project")
    lines = [msgspec.json.decode(line, type=Line) for line in trace.read_bytes().splitlines()]
    ips = [f"10.0.0.{number}" for number in range(16)]
    naive: dict[str, set[int]] = {ip: set() for ip in ips}
    index = CacheIndex(ttl_seconds=1e9)
    hit = asked = 0
    for number, line in enumerate(lines):
        blocks = line.hash_ids
        lengths = []
        for ip, held in naive.items():
            length = next((place for place, each in enumerate(blocks) if each not in held), len(blocks))
            if length:
                lengths.append((ip, length))
        lengths.sort(key=lambda each: (-each[1], each[0]))
        found = index.query("kimi", blocks, 10)
        assert found == lengths[:10]
        # As a gateway would: to where most of the prompt is, unless that is only what all prompts begin with.
        ip = found[0][0] if found and found[0][1] > 1 else ips[number % len(ips)]
        hit, asked = hit + (lengths[0][1] if lengths else 0), asked + len(blocks)
        naive[ip].update(blocks)
        index.save("kimi", ip, blocks, line.timestamp / 1000, number)
    counts = index.counts()
    assert (counts.hit_blocks, counts.asked_blocks) == (hit, asked)
    assert counts.held_blocks == sum(map(len, naive.values()))
    assert index.blocks() == len(set().union(*naive.values()))
    assert 0.3 < hit / asked < 0.5

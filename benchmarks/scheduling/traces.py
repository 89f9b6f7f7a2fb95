# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people asked: one real trace or, where that is not here, requests with its measured distributions.

Real ones, read from `../shared/traces` beside the project, and never part of it:

- chat: an hour of Kimi's chat (`mooncake_conversation.jsonl`, kvcache-ai/Mooncake, FAST'25, Apache-2.0);
- code: an hour of Azure's code completion (`azure_code_2023.csv`, Azure/AzurePublicDataset, Splitwise, ISCA'24, CC-BY).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.json import decode

from benchmarks.scheduling.kv_pool import BLOCK

FOLDER = Path(__file__).parents[3] / "shared" / "traces"
CHAT = "mooncake_conversation.jsonl"
CODE = "azure_code_2023.csv"
CHAT_TICK = 3.0
"""Seconds. The chat trace has one time for all requests of three seconds; they are spread over these."""


class Prompt(Struct, frozen=True, gc=False):
    """One request of a trace.

    `time`: seconds from the trace's beginning.
    `prompt`, `output`: tokens.
    `blocks`: an id for each full block of 512 tokens. Equal ids are equal beginnings.
    """

    time: float
    prompt: int
    output: int
    blocks: tuple[int, ...] = ()


class Trace(Struct, frozen=True):
    """A trace.

    `name`: `chat` or `code`.
    `origin`: where it comes from, for the report.
    `seconds`: how long it is.
    `tick`: within how many seconds the time of a request is not known.
    """

    name: str
    origin: str
    seconds: float
    prompts: list[Prompt]
    tick: float = 0.0


class ChatLine(Struct):
    """A line of the chat trace."""

    timestamp: int
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...]


def load(name: str, folder: Path = FOLDER) -> Trace:
    """Return a trace, or one that is made like it if its file is not in the folder."""
    file = folder / {"chat": CHAT, "code": CODE}[name]
    if file.exists():
        return _read_chat(file) if name == "chat" else _read_code(file)
    return made_like(name)


def _read_chat(file: Path) -> Trace:
    lines = [decode(line, type=ChatLine) for line in file.read_bytes().splitlines()]
    prompts = [
        Prompt(line.timestamp / 1e3, line.input_length, line.output_length, line.hash_ids[: line.input_length // BLOCK])
        for line in lines
    ]
    return Trace("chat", f"{CHAT}, {len(lines):,} requests", prompts[-1].time + CHAT_TICK, prompts, CHAT_TICK)


def _read_code(file: Path) -> Trace:
    with file.open() as rows:
        found = [
            (datetime.fromisoformat(row["TIMESTAMP"][:26]), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
            for row in csv.DictReader(rows)
        ]
    first = found[0][0]
    prompts = [Prompt((at - first).total_seconds(), prompt, output) for at, prompt, output in found]
    return Trace("code", f"{CODE}, {len(found):,} requests", prompts[-1].time, prompts)


# Made like them

SHARES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)
"""The shares at which the distributions below were read off the traces."""
CHAT_TURNS = ((1, 5114), (2, 1311), (3, 464), (4, 200), (5, 117), (6, 55), (7, 27), (8, 26), (10, 26), (12, 33))
"""How many of the 7,373 conversations have so many requests. All share the first block; what shares more is one.
"""
CHAT_FIRST = (890, 897, 905, 1336, 5264, 13_056, 25_553, 38_464, 89_867, 126_195)
"""Tokens of a conversation's first prompt."""
CHAT_GROWTH = (0, 0, 0, 188, 455, 908, 4628, 7457, 17_031, 40_000)
"""By how many tokens a prompt is longer than the one before it in its conversation."""
CHAT_GAP = (6, 30, 42, 66, 123, 264, 480, 615, 1473, 3030)
"""Seconds between two of a conversation's requests."""
CHAT_OUTPUT = (1, 10, 24, 156, 350, 472, 597, 694, 1115, 2000)
"""Tokens of an answer."""
CODE_PROMPT = (3, 75, 147, 578, 1469, 2744, 5186, 7302, 7436, 7437)
CODE_OUTPUT = (6, 6, 7, 9, 13, 24, 55, 90, 249, 1899)
HOUR = 3540.0
CHAT_REQUESTS, CODE_REQUESTS = 12_031, 8_819


def made_like(name: str, seed: int = 0) -> Trace:
    """Return a trace with the distributions of a real one: the same on every call with a seed."""
    random = np.random.default_rng(seed)
    if name == "chat":
        prompts = sorted(_conversations(random), key=lambda each: each.time)[:CHAT_REQUESTS]
        origin = f"made with the distributions of {CHAT}, which is not here"
    else:
        times = np.sort(random.uniform(0, HOUR, CODE_REQUESTS)).tolist()
        lengths, outputs = _draw(random, CODE_PROMPT, CODE_REQUESTS), _draw(random, CODE_OUTPUT, CODE_REQUESTS)
        prompts = [Prompt(*each) for each in zip(times, lengths, outputs, strict=True)]
        origin = f"made with the distributions of {CODE}, which is not here"
    return Trace(name, origin, HOUR, prompts)


def _draw(random: np.random.Generator, quantiles: tuple[float, ...], count: int) -> list[int]:
    """Return lengths whose quantiles at `SHARES` are these."""
    found = np.interp(random.uniform(0, 1, count), SHARES, quantiles)
    return [max(1, round(each)) for each in found.tolist()]


def _conversations(random: np.random.Generator) -> Iterator[Prompt]:
    """Yield the requests of as many conversations as the chat trace has, some beginning before the hour."""
    turns, weights = zip(*CHAT_TURNS, strict=True)
    chances = np.array(weights) / sum(weights)
    block = 1
    for count in random.choice(turns, int(sum(weights) * 1.2), p=chances).tolist():
        time = float(random.uniform(-HOUR / 10, HOUR))
        prompt = _draw(random, CHAT_FIRST, 1)[0]
        blocks: tuple[int, ...] = (0,)
        for growth, gap, output in zip(
            _draw(random, CHAT_GROWTH, count), _draw(random, CHAT_GAP, count), _draw(random, CHAT_OUTPUT, count),
            strict=True,
        ):  # fmt: skip
            full = prompt // BLOCK
            blocks = (*blocks, *range(block, block + max(0, full - len(blocks))))[: max(len(blocks), full)]
            block = max(block, blocks[-1] + 1)
            if 0 <= time < HOUR:
                yield Prompt(time, prompt, output, blocks[:full])
            time += gap
            prompt = min(prompt + growth, 126_195)

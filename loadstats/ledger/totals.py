# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters in a row each: what their engines' numbers add up to.

Any thread. A generator's `yield` is where others may have their turn; the lock is only taken to copy a list.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from loadstats.ledger.cluster import INT64
from loadstats.ledger.state import SLICE

if TYPE_CHECKING:
    from loadstats.ledger.book import Book

PART = 2048  # names sorted in one go: 0.4 ms


class Totals(Struct, frozen=True):
    """A cluster's sums. One that went while it was looked at has no engines."""

    cluster: str
    engines: Annotated[int, Meta(description="that are listed")]
    queued_req_num: Annotated[int, Meta(description="requests that were started and not ended")]
    prompt_length: Annotated[int, Meta(description="sum over those before their first token", extra_json_schema=INT64)]
    prefill_req_num: Annotated[int, Meta(description="requests before their first token")]
    token_num: Annotated[int, Meta(description="tokens held by requests in flight", extra_json_schema=INT64)]
    orphaned_req_num: Annotated[int, Meta(description="requests whose owner is gone")]


def clusters_after(book: Book, name: str, most: int) -> Generator[None, None, list[str]]:
    """The next clusters after a name, by name."""
    first: list[str] = []
    names = list(book._clusters)
    for start in range(0, len(names), PART):
        if start:
            yield
        first = sorted([*first, *(each for each in names[start : start + PART] if each > name)])[:most]
    return first


def totals(book: Book, names: Iterable[str]) -> Generator[None, None, list[Totals]]:
    """The sums of clusters. Engines are read as they are when they are read: each for itself is right."""
    rows: list[Totals] = []
    work = 0
    for name in names:
        with book._lock:
            home = book._clusters.get(name)
            engines = [] if home is None else home.order.copy()  # 0.7 ms of 100,000
        queued = prompts = prefill = tokens = orphaned = 0
        for start in range(0, len(engines) or 1, SLICE):
            part = engines[start : start + SLICE]
            queued += sum([engine.queued_req_num for engine in part])
            prompts += sum([engine.prompt_length for engine in part])
            prefill += sum([engine.prefill_req_num for engine in part])
            tokens += sum([engine.token_num for engine in part])
            orphaned += sum([engine.orphaned_req_num for engine in part])
            work += 16 + len(part)  # a cluster costs as much as 16 engines
            if work > SLICE:
                work = 0
                yield
        rows.append(Totals(name, len(engines), queued, prompts, prefill, tokens, orphaned))
    return rows

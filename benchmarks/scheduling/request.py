# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A request on its way through a simulation. Belongs to one run."""

from __future__ import annotations


class Request:
    """One request. Times are in seconds of the run; -1.0 where it has not happened.

    `number`: its place in the order of arrivals.
    `arrival`: when it comes to its gateway.
    `prompt`, `output`: tokens; at least 1 each.
    `blocks`: an id for each full block of the prompt. Equal ids are equal beginnings.
    `gateway`: which gateway it comes to.
    `place`: which engine it was sent to; -1 before.
    `unknown`: how many requests its engine had been given that the chooser did not know of; None if it knew of none.
    `sent`: when it came to its engine.
    `first`, `end`: when its engine was done with its first and its last token.
    `cached`: tokens of its prompt that the engine found in its cache.

    The rest is its engine's. `need` is what must be in the KV cache before the next token, `computed` what is.
    `failed`: its engine failed at it.
    `held`: blocks of the cache in use by it, in order. `private`: its tokens in the cache that are in none of these.
    `generated`: tokens so far, as of step `joined`. `seat`: its place in the order of admissions.
    """

    __slots__ = (
        "arrival",
        "blocks",
        "cached",
        "computed",
        "end",
        "failed",
        "first",
        "gateway",
        "generated",
        "held",
        "joined",
        "need",
        "number",
        "output",
        "place",
        "private",
        "prompt",
        "seat",
        "sent",
        "unknown",
    )

    def __init__(
        self, number: int, arrival: float, prompt: int, output: int, blocks: tuple[int, ...] = (), gateway: int = 0
    ) -> None:
        self.number = number
        self.arrival = arrival
        self.prompt = prompt
        self.output = output
        self.blocks = blocks
        self.gateway = gateway
        self.place = -1
        self.unknown: int | None = None
        self.sent = self.first = self.end = -1.0
        self.cached = -1
        self.need = prompt
        self.computed = self.private = self.generated = self.joined = self.seat = 0
        self.held: list[int] = []
        self.failed = False

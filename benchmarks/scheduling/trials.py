# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules that are not in the product, to be judged. A trial is one function under `@trial`; its name is the rule's name.

What the product has is not copied here: its policies run in its own handler, see `Pick` in `counted.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from benchmarks.scheduling.fleet import least

Random = Callable[[], float]


class Prospect(Struct):
    """One choice, as a node could know it. Lists are by the engines' places.

    `prompt`: tokens of the request's prompt.
    `cached`: how many of these each engine is thought to have.
    `requests`: the requests of each engine.
    `prompts`: the prompt lengths that each still has to read, as its row has them.
    `prefills`: how many requests of each have no first token yet.
    """

    prompt: int
    cached: Sequence[int]
    requests: Sequence[float]
    prompts: Sequence[float]
    prefills: Sequence[int]

    def own(self) -> list[int]:
        """Return what each engine would have to read of this prompt; at least 1 token."""
        prompt = self.prompt
        return [max(1, prompt - length) for length in self.cached]


Trial = Callable[[Prospect, Random], int]
"""Returns the place of the engine."""

TRIALS: dict[str, Trial] = {}
"""Every rule by its name."""


def trial(function: Trial) -> Trial:
    """Register a rule under its function's name."""
    TRIALS[function.__name__] = function
    return function


def _tokens_ahead(prospect: Prospect, each: float) -> list[float]:
    """Return the tokens pending and this prompt's own, and `each` for every request."""
    return [
        pending + own + each * number
        for pending, own, number in zip(prospect.prompts, prospect.own(), prospect.requests, strict=True)
    ]


@trial
def tokens_0(prospect: Prospect, random: Random) -> int:
    """The fewest tokens to be read until the first token."""
    return least(_tokens_ahead(prospect, 0), random)


@trial
def tokens_100(prospect: Prospect, random: Random) -> int:
    """The same; each request counts as 100 tokens more."""
    return least(_tokens_ahead(prospect, 100), random)


@trial
def tokens_250(prospect: Prospect, random: Random) -> int:
    """The same; each request counts as 250 tokens more."""
    return least(_tokens_ahead(prospect, 250), random)


@trial
def tokens_500(prospect: Prospect, random: Random) -> int:
    """The same; each request counts as 500 tokens more."""
    return least(_tokens_ahead(prospect, 500), random)


@trial
def tokens_1000(prospect: Prospect, random: Random) -> int:
    """The same; each request counts as 1,000 tokens more."""
    return least(_tokens_ahead(prospect, 1000), random)


@trial
def requests_times_prefill(prospect: Prospect, random: Random) -> int:
    """The least product of requests and tokens to be read, with this one's."""
    work = _tokens_ahead(prospect, 0)
    return least([(number + 1) * tokens for number, tokens in zip(prospect.requests, work, strict=True)], random)


@trial
def decodes_times_prefill(prospect: Prospect, random: Random) -> int:
    """The least product of tokens to be read, with this one's, and requests that are past their first token, plus 1."""
    work = _tokens_ahead(prospect, 0)
    return least(
        [
            (number - reading + 1) * tokens
            for number, reading, tokens in zip(prospect.requests, prospect.prefills, work, strict=True)
        ],
        random,
    )

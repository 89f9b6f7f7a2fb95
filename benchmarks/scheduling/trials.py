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
    """

    prompt: int
    cached: Sequence[int]
    requests: Sequence[float]
    prompts: Sequence[float]

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


@trial
def requests_times_prefill(prospect: Prospect, random: Random) -> int:
    """The least product of requests and tokens to be read, with this one's."""
    work = zip(prospect.requests, prospect.prompts, prospect.own(), strict=True)
    return least([(number + 1) * (pending + own) for number, pending, own in work], random)

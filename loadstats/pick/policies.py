# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How an engine is chosen: from the candidates' numbers to a choice. Pure; randomness is passed in.

`cached` tells which share of the prompt candidates have in their caches, by place, of those that have any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from math import ceil, floor, inf, sqrt
from operator import itemgetter
from typing import Literal, NamedTuple

from msgspec import Struct

from loadstats.ledger import Choice, Numbers

Cached = Mapping[int, float]
Random = Callable[[], float]
"""A number from 0 to below 1."""

PolicyName = Literal["score", "least_load", "power_of_two"]
SHORT_PROMPT = 1024.0  # where all prompts are shorter, an engine reads them in no time: they weigh less
SAMPLE = 64


class Rule(Struct, frozen=True):
    """How to choose. `share` is how many of the candidates are the best; one with `max_queued` requests is none.

    The defaults are those of the AIGW gateway.
    """

    policy: PolicyName = "score"
    cache_ratio: float = 2.0
    request_load: float = 1.0
    prefill_load: float = 3.0
    share: float = 0.05
    max_queued: int | None = None


class Scale(NamedTuple):
    """What a request, a unit of prompt length and the whole prompt in the cache are worth, among some candidates."""

    fewest: float
    request: float
    prompt: float
    cache: float

    @classmethod
    def of(cls, numbers: Numbers, rule: Rule) -> Scale:
        """The further the candidates' requests are apart, the more those matter."""
        spread = max(2.0, numbers.most - numbers.fewest)
        return cls(
            numbers.fewest,
            rule.request_load * ceil(spread / 5) / spread,
            rule.prefill_load / max(SHORT_PROMPT, numbers.longest),
            rule.cache_ratio,
        )

    def score(self, requests: float, prompt: float, cached: float) -> float:
        """How good an engine is: 0 with the fewest requests, no prompts to read and nothing of this one."""
        return self.cache * cached - self.request * (requests - self.fewest) - self.prompt * prompt


def choose(numbers: Numbers, cached: Cached, rule: Rule, random: Random) -> Choice | None:
    """The place of the engine that a rule takes, and its score; None where none takes any more requests."""
    policy, limit = POLICIES[rule.policy], rule.max_queued
    if limit is None or numbers.most < limit:
        return policy(numbers, cached, rule, random)
    if numbers.fewest >= limit:
        return None
    places = [place for place, number in enumerate(numbers.requests) if number < limit]
    first = places[0]
    take = itemgetter(*places) if len(places) > 1 else lambda them: (them[first],)
    rest = Numbers.of(take(numbers.requests), take(numbers.prompts))
    if cached:
        cached = {place: cached[before] for place, before in enumerate(places) if before in cached}
    choice = policy(rest, cached, rule, random)
    return Choice(places[choice.place], choice.score)


def by_score(numbers: Numbers, cached: Cached, rule: Rule, random: Random) -> Choice:
    """A random one of the best."""
    requests, prompts = numbers.requests, numbers.prompts
    scale = Scale.of(numbers, rule)
    request, prompt = scale.request, scale.prompt
    best = max(1, floor(rule.share * len(requests) + 1e-9))  # 0.29 of 100 are 29, though 0.29 * 100 is less
    rank = int(random() * best)
    limit = _guess(numbers, rank, scale, random)
    while True:
        costs = {
            place: cost
            for place, number, length in zip(count(), requests, prompts)
            if (cost := request * number + prompt * length) <= limit
        }
        for place, share in cached.items():
            costs[place] = request * requests[place] + prompt * prompts[place] - scale.cache * share
        ranked = sorted(costs.values())
        if rank < len(ranked) and ranked[rank] <= limit:
            break
        limit = inf
    equal = [place for place, cost in costs.items() if cost == ranked[rank]]
    return _chosen(equal[int(random() * len(equal))], numbers, cached, scale)


def _guess(numbers: Numbers, rank: int, scale: Scale, random: Random) -> float:
    """What a candidate of this rank costs at most, by a sample: 90 of 1,000 need to be ranked, and in 1 of 200 cases it
    was too low and all are."""
    step = len(numbers.requests) // SAMPLE
    if step < 2:
        return inf
    every = slice(int(random() * step), None, step)
    sample = sorted(
        scale.request * number + scale.prompt * length
        for number, length in zip(numbers.requests[every], numbers.prompts[every], strict=True)
    )
    expected = (rank + 1) / step
    place = int(expected + 2 * sqrt(expected) + 1)
    return sample[place] if place < len(sample) else inf


def least_load(numbers: Numbers, cached: Cached, rule: Rule, random: Random) -> Choice:
    """The fewest requests, of these the shortest prompts, of these a random one."""
    fewest, prompts = numbers.fewest, numbers.prompts
    least = [place for place, number in enumerate(numbers.requests) if number == fewest]
    shortest = min([prompts[place] for place in least])
    equal = [place for place in least if prompts[place] == shortest]
    return _chosen(equal[int(random() * len(equal))], numbers, cached, Scale.of(numbers, rule))


def power_of_two(numbers: Numbers, cached: Cached, rule: Rule, random: Random) -> Choice:
    """The less loaded of two random ones. What it costs does not depend on how many there are."""
    requests, prompts = numbers.requests, numbers.prompts
    one = int(random() * len(requests))
    two = int(random() * (len(requests) - 1))
    two += two >= one and len(requests) > 1
    place = min(one, two, key=lambda place: (requests[place], prompts[place]))
    return _chosen(place, numbers, cached, Scale.of(numbers, rule))


def _chosen(place: int, numbers: Numbers, cached: Cached, scale: Scale) -> Choice:
    return Choice(place, scale.score(numbers.requests[place], numbers.prompts[place], cached.get(place, 0.0)))


POLICIES: Mapping[PolicyName, Callable[[Numbers, Cached, Rule, Random], Choice]] = {
    "score": by_score,
    "least_load": least_load,
    "power_of_two": power_of_two,
}

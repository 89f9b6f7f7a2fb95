# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How candidates score under given options: what their load costs, kept from one choice to the next.

Used under the ledger's lock. Between two choices few engines change: of 1,000 candidates, computing all costs takes
50 to 75 µs, finding what is least and most of their numbers 60 µs, bringing both up to date 1 µs for each that changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, inf

from loadstats.ledger import CandidateView
from loadstats.pick.cache_credit import CacheCredit, CachedLengths, PromptToRead
from loadstats.pick.options import PickOptions

SHORT_PROMPT = 1024.0  # where all prompts are shorter, an engine reads them in no time: they weigh less
KEPT = 8  # of a view's: for calls that say `max_queued` or weights, and calls that don't, while engines rest or not
EngineWeights = tuple[tuple[int, float], ...]
"""Candidates' places, and what the weights that a call gave are multiplied by there. Weight 0 takes no requests."""


class CandidateScores:
    """The candidates' numbers and costs, each at the candidate's place.

    A full candidate has infinite requests, no prompts and infinite costs; so has one of weight 0. Of an engine of any
    other weight than 1 the numbers are those that `weighed` returns.

    `requests`: the requests of each.
    `prompts`: the prompt lengths that each still has to read.
    `costs`: what the load of each costs; the lower, the better.
    `free`: how many candidates are not full.
    `fewest`: the fewest requests of a free candidate.
    `request`: what one request costs.
    `prompt`: what one unit of prompt length costs.
    """

    __slots__ = (
        "_changes",
        "_counts",
        "_entries",
        "_longest",
        "_options",
        "_rest",
        "_roster",
        "_view",
        "_weights",
        "costs",
        "fewest",
        "free",
        "prompt",
        "prompts",
        "request",
        "requests",
    )

    def __init__(self, view: CandidateView, options: PickOptions, weights: EngineWeights = ()) -> None:
        self._view = view
        self._weights = {**view.weights, **{place: view.weights.get(place, 1.0) * each for place, each in weights}}
        self._options = options
        self._roster: object = None
        self._rest: tuple[int, list[int]] = (1, [])
        self._entries: Mapping[str, Sequence[int]] = {}  # the places that use each entry of the caches
        self._read()

    @classmethod
    def of(cls, view: CandidateView, options: PickOptions, weights: EngineWeights = ()) -> CandidateScores:
        """Return the scores of a view now. Keeps them in the view for the next choice."""
        memory = view.memory
        key = options.max_queued, options.request_load, options.prefill_load, weights
        scores: CandidateScores | None = memory.get(key)
        if scores is not None:
            scores._catch_up()
            return scores
        if len(memory) >= KEPT:
            del memory[next(iter(memory))]
        scores = memory[key] = cls(view, options, weights)
        return scores

    def costs_with(self, credit: CacheCredit) -> list[float]:
        """Return the costs less what the engines' caches are worth, up to a constant that is the same for all."""
        return self._less(self.costs.copy(), credit)

    def work(self, request: float, prompt: PromptToRead) -> list[float]:
        """Return what each would have read once it has read this prompt, and `request` for each of its requests."""
        own = float(prompt.length)
        pairs = zip(self.requests, self.prompts, strict=True)
        if self.free == len(self.requests):
            work = [request * number + length + own for number, length in pairs]
        else:
            work = [inf if number == inf else request * number + length + own for number, length in pairs]
        credit = prompt.credit(own)
        if credit is None:
            return work
        work = self._less(work, credit)
        if (usual := credit.lengths.usual) and self._rest[0] > 0:
            constant = credit.block * usual
            work = [each - constant for each in work]
        return work

    def decodes(self) -> list[float]:
        """Return how many requests of each have had their first token."""
        requests = self._view.numbers()[0]
        decodes = [number - unread for number, unread in zip(requests, self._view.prefills(), strict=True)]
        for place, weight in self._weights.items():
            decodes[place] = weighed(decodes[place], 0.0, weight)[0]
        return decodes

    def _less(self, costs: list[float], credit: CacheCredit) -> list[float]:
        """Take what the engines' caches are worth off their costs, up to a constant that is the same for all."""
        lengths, block = credit
        self._match(lengths)
        entries, usual = self._entries, lengths.usual
        for name, length in lengths.others.items():
            if name in entries:
                for place in entries[name]:
                    costs[place] -= block * (length - usual)
        if usual:
            sign, rest = self._rest
            for place in rest:
                costs[place] += block * usual * sign
        return costs

    def score(self, place: int, credit: CacheCredit | None) -> float:
        """Return the score of a candidate: 0 with the fewest requests, no prompts to read and an empty cache."""
        cached = (
            0.0 if credit is None else credit.block * credit.lengths.at(self._view.name(place), self._view.ips[place])
        )
        return cached - (self.request * (self.requests[place] - self.fewest) + self.prompt * self.prompts[place])

    def unread(self, place: int, prompt: PromptToRead) -> int:
        """Return what a candidate has yet to read of a prompt."""
        return prompt.unread(self._view.name(place), self._view.ips[place])

    def _match(self, lengths: CachedLengths) -> None:
        """Find which candidate uses which entry of the caches: its own, else its address's. Done whenever there are
        other entries.

        `_rest` is 1 and the places without a known cache; or, if those are fewer, -1 and the others.
        """
        if self._roster is lengths.roster:
            return
        view, engines = self._view, lengths.engines
        names, ips = view.names, view.ips
        if names == ips:
            used, self._entries = ips, view.places
        else:
            used = [name if name in engines else ip for name, ip in zip(names, ips, strict=True)]
            entries: dict[str, list[int]] = {}
            for place, name in enumerate(used):
                entries.setdefault(name, []).append(place)
            self._entries = entries
        known: list[int] = []
        unknown: list[int] = []
        for place, name in enumerate(used):
            (known if name in engines else unknown).append(place)
        self._rest = (1, unknown) if len(unknown) < len(known) else (-1, known)
        self._roster = lengths.roster

    def _read(self) -> None:
        """Read all numbers again."""
        self._changes = self._view.changes
        self.requests, self.prompts = self._view.numbers()
        limit = self._options.max_queued
        if limit is not None and max(self.requests) >= limit:
            for place, requests in enumerate(self.requests):
                if requests >= limit:
                    self.requests[place], self.prompts[place] = inf, 0.0
        for place, weight in self._weights.items():
            self.requests[place], self.prompts[place] = weighed(self.requests[place], self.prompts[place], weight)
        self._counts = dict(Counter(self.requests))  # how many have so many requests
        self.free = len(self.requests) - self._counts.pop(inf, 0)
        self._longest: float | None = None  # to be found
        self.costs = [inf] * len(self.requests)
        self.request = self.prompt = -1.0  # to be computed
        self._weigh()

    def _catch_up(self) -> None:
        changed = self._view.since(self._changes)
        if changed is None:
            self._read()
        elif changed:
            self._changes = self._view.changes
            for place, requests, prompt in changed:
                self._change(place, requests, prompt)
            self._weigh()

    def _change(self, place: int, requests: float, prompt: float) -> None:
        limit = self._options.max_queued
        if limit is not None and requests >= limit:
            requests, prompt = inf, 0.0
        if self._weights and (weight := self._weights.get(place)) is not None:
            requests, prompt = weighed(requests, prompt, weight)
        counts, before = self._counts, self.requests[place]
        if requests != before:
            if before == inf:
                self.free += 1
            elif counts[before] == 1:
                del counts[before]
            else:
                counts[before] -= 1
            if requests == inf:
                self.free -= 1
            else:
                counts[requests] = counts.get(requests, 0) + 1
            self.requests[place] = requests
        if self._longest is not None:
            if prompt >= self._longest:
                self._longest = prompt
            elif self.prompts[place] == self._longest:
                self._longest = None
        self.prompts[place] = prompt
        self.costs[place] = inf if requests == inf else self.request * requests + self.prompt * prompt

    def _weigh(self) -> None:
        """Compute what a request costs: the further apart the candidates' requests are, the more."""
        if not self.free:
            return
        if self._longest is None:
            self._longest = max(self.prompts)
        self.fewest = min(self._counts)
        spread = max(2.0, max(self._counts) - self.fewest)
        request = self._options.request_load * ceil(spread / 5) / spread
        prompt = self._options.prefill_load / max(SHORT_PROMPT, self._longest)
        if request == self.request and prompt == self.prompt:
            return
        self.request, self.prompt = request, prompt
        pairs = zip(self.requests, self.prompts, strict=True)
        if self.free == len(self.requests):
            self.costs = [request * number + prompt * length for number, length in pairs]
        else:
            self.costs = [inf if number == inf else request * number + prompt * length for number, length in pairs]


def weighed(requests: float, prompt: float, weight: float) -> tuple[float, float]:
    """Return the requests and the prompt length that an engine of a weight is treated as having.

    With its next request it has as many as an engine of weight 1 that has a `weight`th of them. So of idle engines the
    one with the largest weight has the fewest.
    """
    return ((requests + 1) / weight - 1, prompt / weight) if weight else (inf, 0.0)

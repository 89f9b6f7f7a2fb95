# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that chooses: decode, look into the caches, choose and book, answer. Thread-safe; the event loop calls it
for gateways, Django's threads for people."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns

from msgspec.json import encode
from msgspec.structs import asdict, replace

from edge.body import Body
from edge.call import Call, Route
from edge.errors import InvalidInput, TooMany
from loadstats.ledger import Booking, Choice, Ledger, LedgerFull, Lineup, NoCandidates
from loadstats.pick.candidates import Candidates
from loadstats.pick.held import Held, Lengths
from loadstats.pick.policies import Random, choose
from loadstats.pick.rule import Rule
from loadstats.pick.standing import Standing
from loadstats.pick.wire import MAX_HASH, Pick, QuickPick

PICK = "/v1/load/pick"

Cached = Callable[[str, tuple[int, ...]], Lengths | None]
"""How many leading blocks of a prompt, given by their hashes, a cluster's engines hold; None where none holds any."""
Keep = Callable[[str, str, tuple[int, ...]], object]
"""The engine of a cluster at an address holds a prompt from now on."""


class PickHandlers:
    """The handler over one ledger. `rule` is what a call does not say; `cached` looks into the engines' caches, `keep`
    tells of them. `now` is monotonic seconds, `wall_ns` wall-clock nanoseconds."""

    def __init__(
        self,
        ledger: Ledger,
        rule: Rule,
        random: Random,
        *,
        cached: Cached = lambda cluster, hashes: None,
        keep: Keep = lambda cluster, ip, hashes: None,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._booking = Booking(ledger)
        self._rule = rule
        self._cached = cached
        self._keep = keep
        self._random = random
        self._now = now
        self._wall_ns = wall_ns
        self._read = Body(QuickPick).read
        self._candidates = Candidates()

    def routes(self) -> tuple[Route, ...]:
        """The call by method and path."""
        return (Route("POST", PICK, self.pick),)

    def pick(self, call: Call) -> bytes:
        """`POST /v1/load/pick`: choose an engine for a request and count the request on it, in one step.

        Answered with the engine's row, this request included. Whatever tells of the request's first token and end is as
        after `POST /v1/load/stats`. A `request_id` that is known already stays where it is: the answer is its engine's
        row as it is now, nothing is counted, and `score` is null. An engine that nobody used yet has no requests. 429
        where every candidate has `max_queued` requests. Members that are not named here are ignored.
        """
        body = self._read(call.body)
        call.request_id = body.request_id
        names = self._candidates.of(body.cluster, bytes(body.candidates), call.body)
        lengths = self._lengths(body.cluster, body.prompt_hash)
        rule = self._rule_of(body)
        held = None if lengths is None else Held(lengths, rule.cache_ratio / len(body.prompt_hash or (0,)))

        def choice(lineup: Lineup) -> Choice | None:
            return choose(Standing.of(lineup, rule), held, rule, self._random)

        try:
            booked = self._booking.book(
                body.request_id,
                body.cluster,
                names,
                choice,
                body.prompt_length or 0,
                self._now(),
                self._wall_ns(),
                body.owner or "",
            )
        except NoCandidates:
            raise InvalidInput(f"candidates: expected some, for cluster {body.cluster!r} has no engines yet") from None
        except LedgerFull as full:
            raise TooMany(f"{full.what}: this node holds its most, {full.cap}") from None
        if booked is None:
            raise TooMany(f"max_queued: every candidate has {rule.max_queued} requests or more")
        length = 0 if lengths is None else lengths.at(booked.ip)
        if body.save and body.prompt_hash and booked.score is not None:
            self._keep(body.cluster, booked.ip, body.prompt_hash)
        return b'%b,"score":%b,"cache_length":%d}' % (booked.row[:-1], encode(booked.score), length)

    def _rule_of(self, body: Pick) -> Rule:
        """How to choose, by what the call says and else the configuration."""
        if body.policy is None and body.weights is None and body.share is None and body.max_queued is None:
            return self._rule
        said = {
            "policy": body.policy,
            "share": body.share,
            "max_queued": body.max_queued,
            **({} if body.weights is None else asdict(body.weights)),
        }
        said = {name: value for name, value in said.items() if value is not None}
        return replace(self._rule, **said)

    def _lengths(self, cluster: str, hashes: tuple[int, ...] | None) -> Lengths | None:
        """Who holds how much of the prompt."""
        if not hashes:
            return None
        lengths = self._cached(cluster, hashes)
        known = 0 if lengths is None else lengths.longest  # checked when they were saved: 3 µs of 256
        if max(hashes[known:], default=0) > MAX_HASH:
            raise InvalidInput(f"prompt_hash: expected integers from 0 to {MAX_HASH}")
        return lengths

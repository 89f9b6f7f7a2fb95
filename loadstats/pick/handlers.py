# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that chooses: decode, look into the caches, choose and book, answer. Thread-safe; the event loop calls it
for gateways, Django's threads for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from time import monotonic, time_ns

from msgspec.json import encode
from msgspec.structs import asdict, replace

from loadstats.ledger import Booking, Choice, Ledger, LedgerFull, Lineup, NoCandidates
from loadstats.pick.candidates import Candidates
from loadstats.pick.policies import Held, Random, Rule, choose
from loadstats.pick.wire import MAX_HASH, Pick, QuickPick
from metadata_center.errors import InvalidInput, TooMany
from metadata_center.http.body import Body
from metadata_center.http.call import Call, Route

PICK = "/v1/load/pick"

Cached = Callable[[str, tuple[int, ...]], Mapping[str, int]]
"""How many leading blocks of a prompt, given by their hashes, a cluster's engines hold, by address."""
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
        cached: Cached = lambda cluster, hashes: {},
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
        held = self._held(body.cluster, body.prompt_hash)
        blocks = len(body.prompt_hash or ())
        rule = self._rule_of(body)

        def choice(lineup: Lineup) -> Choice | None:
            lengths = Held(list(map(held.get, lineup.ips, repeat(0.0))), blocks) if held else None
            return choose(lineup.numbers, lengths, rule, self._random)

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
        if body.save and body.prompt_hash and booked.score is not None:
            self._keep(body.cluster, booked.ip, body.prompt_hash)
        return b'%b,"score":%b,"cache_length":%d}' % (booked.row[:-1], encode(booked.score), held.get(booked.ip, 0))

    def _rule_of(self, body: Pick) -> Rule:
        """How to choose, by what the call says and else the configuration."""
        said = {
            "policy": body.policy,
            "share": body.share,
            "max_queued": body.max_queued,
            **({} if body.weights is None else asdict(body.weights)),
        }
        said = {name: value for name, value in said.items() if value is not None}
        return replace(self._rule, **said) if said else self._rule

    def _held(self, cluster: str, hashes: tuple[int, ...] | None) -> Mapping[str, int]:
        """Who holds how much of the prompt."""
        if not hashes:
            return {}
        if max(hashes) > MAX_HASH:
            raise InvalidInput(f"prompt_hash: expected integers from 0 to {MAX_HASH}")
        return self._cached(cluster, hashes)

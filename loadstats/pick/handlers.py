# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that chooses: decode, look into the caches, choose and reserve, answer.

Thread-safe: the event loop calls it for gateways, Django's threads for people.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns

from msgspec.json import encode
from msgspec.structs import asdict, replace

from edge.body import MAX_HASH, Body
from edge.call import Call, Route
from edge.caller import Scope
from edge.client import client_of
from edge.errors import InvalidInput, TooMany
from edge.reach import check_cluster, check_request
from loadstats.ledger import LATEST, CandidateView, EngineChoice, Ledger, LedgerFull, NoCandidates
from loadstats.pick.cache_credit import CachedLengths, PromptToRead
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.candidates import Candidates
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import Random, choose
from loadstats.pick.sessions import Sessions, preferred
from loadstats.pick.standing import standing
from loadstats.pick.wire import Pick, QuickPick

PICK = "/v1/load/pick"

Cached = Callable[[str, tuple[int, ...]], CachedLengths | None]
"""Returns how many leading blocks of a prompt, by their hashes, a cluster's engines hold; None if none holds any."""
Keep = Callable[[str, str, tuple[int, ...], str], object]
"""Notes that an engine of a cluster, by its name, holds a prompt, as a client said."""


class PickHandlers:
    """The handler over one ledger.

    `options`: how to choose where a call does not say.
    `random`: returns a number from 0 to below 1.
    `cached`: looks up a prompt in the engines' caches.
    `keep`: notes that an engine holds a prompt.
    `now`: the monotonic clock, in seconds.
    `wall_ns`: the wall clock, in nanoseconds since 1970.
    """

    def __init__(
        self,
        ledger: Ledger,
        options: PickOptions,
        random: Random,
        *,
        cached: Cached = lambda cluster, hashes: None,
        keep: Keep = lambda cluster, engine, hashes, client: None,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._reserve = ledger.reservations.reserve
        self._cluster_of = ledger.cluster_of
        self._options = options
        self._cached = cached
        self._keep = keep
        self._random = random
        self._now = now
        self._wall_ns = wall_ns
        self._read = Body(QuickPick).read
        self._candidates = Candidates()
        self._sessions = Sessions()

    def routes(self) -> tuple[Route, ...]:
        """The call by method and path."""
        return (Route("POST", PICK, self.pick, scope=Scope.WRITE),)

    def pick(self, call: Call) -> bytes:
        """`POST /v1/load/pick`: choose an engine for a request and count the request on it, in one step.

        Answered with the engine's row, this request included. The request's first token and its end are reported
        as after `POST /v1/load/stats`. A request that is under way stays where it is while its engine is a candidate:
        the answer is its engine's row now, nothing is counted, and `score` is null. If its engine is none, or it is
        over, this is its next attempt: it counts on the engine answered and nowhere else. With an `attempt` no larger
        than the known one it stays in any case. An engine without reports has no requests.
        429 where every candidate has `max_queued` requests. Members that are not named here are ignored.
        """
        body = self._read(call.body)
        call.request_id = body.request_id
        if call.caller is not None:
            check_cluster(call.caller, body.cluster)
            check_request(call.caller, body.request_id, self._cluster_of)
        names = self._candidates.of(body.cluster, bytes(body.candidates), call.body)
        lengths = self._lengths(body.cluster, body.prompt_hash)
        options = self._options_of(body)
        client = client_of(call)
        prompt = PromptToRead(body.prompt_length or 0, len(body.prompt_hash or ()), lengths)
        now = self._now()

        def choice(view: CandidateView) -> EngineChoice | None:
            scores = standing(view, options, now)
            if body.session is not None and options.session_idle_seconds:
                return self._choose_for(body, view, scores, prompt, options, now)
            return choose(scores, prompt, options, self._random)

        try:
            reserved = self._reserve(
                body.request_id,
                body.cluster,
                names,
                choice,
                prompt.length,
                now,
                self._wall_ns(),
                body.owner or "",
                attempt=body.attempt or LATEST,
                incarnation=body.incarnation or "",
                client=client,
                full=body.full,
            )
        except NoCandidates:
            raise InvalidInput(f"candidates: expected some, for cluster {body.cluster!r} has no engines yet") from None
        except LedgerFull as full:
            raise TooMany(full.reason) from None
        if reserved is None:
            raise TooMany(f"max_queued: every candidate has {options.max_queued} requests or more")
        length = 0 if lengths is None else lengths.at(reserved.name, reserved.ip)
        if body.save and body.prompt_hash and reserved.score is not None:
            self._keep(body.cluster, reserved.name, body.prompt_hash, client)
        return b'%b,"score":%b,"cache_length":%d,"attempt":%d}' % (
            reserved.row[:-1],
            encode(reserved.score),
            length,
            reserved.attempt,
        )

    def _choose_for(
        self,
        body: Pick,
        view: CandidateView,
        scores: CandidateScores,
        prompt: PromptToRead,
        options: PickOptions,
        now: float,
    ) -> EngineChoice | None:
        """Choose for a session: the engine that served it last, if it has not too much to do."""
        key = body.cluster, body.session or ""
        last = self._sessions.engine(key, options, now) if scores.free else None
        place = None if last is None else preferred(scores, view.names, last, options)
        choice = choose(scores, prompt, options, self._random, place)
        if choice is not None:
            self._sessions.keep(key, view.name(choice.place), options, now)
        return choice

    def _options_of(self, body: Pick) -> PickOptions:
        """Return how to choose: what the call says, else the configuration."""
        if (
            body.policy is None
            and body.weights is None
            and body.share is None
            and body.max_queued is None
            and body.uncached is None
        ):
            return self._options
        said = {
            "policy": body.policy,
            "share": body.share,
            "max_queued": body.max_queued,
            "uncached": body.uncached,
            **({} if body.weights is None else asdict(body.weights)),
        }
        said = {name: value for name, value in said.items() if value is not None}
        return replace(self._options, **said)

    def _lengths(self, cluster: str, hashes: tuple[int, ...] | None) -> CachedLengths | None:
        """Return how much of the prompt each engine holds."""
        if not hashes:
            return None
        lengths = self._cached(cluster, hashes)
        known = 0 if lengths is None else lengths.longest  # checked when they were saved: 3 µs of 256
        if max(hashes[known:], default=0) > MAX_HASH:
            raise InvalidInput(f"prompt_hash: expected integers from 0 to {MAX_HASH}")
        return lengths

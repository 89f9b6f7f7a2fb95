# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as a few lines of the plainest Python: what it must equal after any history. Written from the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

EngineKey = tuple[str, str]


class ModelRow(NamedTuple):
    """An engine's numbers."""

    queued: int = 0
    prompt_length: int = 0
    prefill: int = 0
    tokens: int = 0
    orphaned: int = 0


@dataclass
class ModelRequest:
    """One request: its engine is None until it is added. It falls due at `due`."""

    since: int
    due: int
    engine: EngineKey | None = None
    length: int = 0
    prefill: bool = True
    done: bool = False
    dropped: bool = False  # its engine was, and it has not been ended yet
    tokens: tuple[int, int] = (0, 0)
    owner: str = ""
    incarnation: str = ""
    orphaned: bool = False

    @property
    def live(self) -> bool:
        return self.engine is not None and not self.done


@dataclass
class ModelOwner:
    """A gateway. `until`: how long its last heartbeat holds; None where there was none. `known_until`: so long that is
    remembered once it is over. `incarnations`: in the order in which they were first seen; `named_until`: how long they
    are remembered."""

    until: int | None = None
    alive: bool = False
    known_until: int | None = None
    incarnations: list[str] = field(default_factory=list)
    named_until: int = 0

    def superseded(self, incarnation: str) -> bool:
        return incarnation != "" and incarnation != self.incarnations[-1]


@dataclass
class Model:
    """Requests by id, gateways by name, and when each listed engine was last used."""

    request_ticks: int
    tombstone_ticks: int
    orphan_ticks: int
    holding: bool = False
    requests: dict[str, ModelRequest] = field(default_factory=dict)
    owners: dict[str, ModelOwner] = field(default_factory=dict)
    used: dict[EngineKey, int] = field(default_factory=dict)

    def add(
        self, request_id: str, engine: EngineKey, length: int, now: int, owner: str = "", incarnation: str = ""
    ) -> None:
        if self.added(request_id):
            return
        known = self._known(request_id, now)
        known.engine, known.length = engine, length
        self.used[engine] = now
        if owner and incarnation:
            self._name(owner, incarnation, now)
        if known.done:
            return
        known.since, known.due = now, now + self.request_ticks
        if owner:
            known.owner, known.incarnation = owner, incarnation
            of = self.owners.setdefault(owner, ModelOwner())
            if (of.until is not None and not of.alive) or of.superseded(incarnation):
                known.orphaned, known.due = True, now + self.orphan_ticks

    def added(self, request_id: str) -> bool:
        known = self.requests.get(request_id)
        return known is not None and known.engine is not None

    def first_token(self, request_id: str, now: int) -> None:
        known = self._known(request_id, now)
        if known.prefill:
            known.prefill = False
            self._use(known, now)

    def done(self, request_id: str, now: int) -> None:
        known = self._known(request_id, now)
        if not known.done:
            self._use(known, now)
            self._end(known, now)

    def tokens(self, request_id: str, tokens: tuple[int, int], now: int) -> None:
        if request_id not in self.requests and tokens == (0, 0):
            return
        known = self._known(request_id, now)
        larger = max(known.tokens[0], tokens[0]), max(known.tokens[1], tokens[1])
        if not known.done and larger != known.tokens:
            known.tokens = larger
            self._use(known, now)

    def refresh(self, request_id: str, now: int) -> bool:
        known = self.requests.get(request_id)
        if known is None or not known.live or (known.due <= now and not self._reprieve(known, now)):
            return False
        if not known.orphaned:
            known.due = now + self.request_ticks
        return True

    def beat(self, owner: str, ttl: int, now: int, incarnation: str = "") -> bool:
        of = self.owners.setdefault(owner, ModelOwner())
        if incarnation and not self._name(owner, incarnation, now):
            return False
        of.until, of.alive, of.known_until = now + ttl + 1, True, None
        return True

    def _name(self, owner: str, incarnation: str, now: int) -> bool:
        """Whether this incarnation stands. The others' requests are orphans from now on."""
        of = self.owners.setdefault(owner, ModelOwner())
        if incarnation not in of.incarnations:
            of.incarnations.append(incarnation)
        of.named_until = max(of.named_until, now + self.request_ticks)
        for known in self.requests.values():
            if known.live and known.owner == owner and of.superseded(known.incarnation) and not known.orphaned:
                known.orphaned, known.due = True, now + self.orphan_ticks
        return not of.superseded(incarnation)

    def lapse(self, now: int) -> None:
        for owner in self.owners.values():
            if owner.known_until is not None and owner.known_until <= now:
                owner.known_until = None
            if owner.named_until <= now:
                owner.named_until = 0
            if owner.alive and owner.until is not None and owner.until <= now:
                owner.alive, owner.known_until = False, max(owner.until + self.request_ticks, now + 1)
        for known in self.requests.values():
            if not known.live:
                continue
            of = self.owners.get(known.owner)
            if of is not None and of.superseded(known.incarnation):
                assert known.orphaned
            elif of is not None and of.until is not None and known.orphaned == of.alive:
                known.orphaned = not of.alive
                known.due = now + (self.orphan_ticks if known.orphaned else self.request_ticks)
            if known.dropped:
                self._end(known, now)
        self._leave()

    def drop(self, engine: EngineKey) -> int | None:
        if engine not in self.used:
            return None
        queued = self.rows()[engine].queued
        del self.used[engine]
        for known in self.requests.values():
            if known.engine == engine and known.live:
                known.dropped = True
        return queued

    def expire(self, now: int) -> None:
        for request_id, known in list(self.requests.items()):
            while known.due <= now:
                if known.live:
                    if more := self._reprieve(known, now):
                        known.due = now + more
                    else:
                        self._end(known, now)
                elif self.holding and known.since + self.request_ticks > now:
                    known.due = min(known.since + self.request_ticks, now + self.tombstone_ticks)
                else:
                    del self.requests[request_id]
                    break
        self._leave()
        rows = self.rows()
        for engine, used in list(self.used.items()):
            if now - used >= self.request_ticks and rows[engine].queued == 0:
                del self.used[engine]

    def rows(self) -> dict[EngineKey, ModelRow]:
        """The listed engines' numbers, summed anew."""
        rows = dict.fromkeys(self.used, ModelRow())
        for known in self.requests.values():
            if known.engine is not None and known.live and not known.dropped:
                row = rows[known.engine]
                rows[known.engine] = ModelRow(
                    row.queued + 1,
                    row.prompt_length + (known.length if known.prefill else 0),
                    row.prefill + known.prefill,
                    row.tokens + sum(known.tokens),
                    row.orphaned + known.orphaned,
                )
        return rows

    def _known(self, request_id: str, now: int) -> ModelRequest:
        return self.requests.setdefault(request_id, ModelRequest(now, now + self.tombstone_ticks))

    def _use(self, known: ModelRequest, now: int) -> None:
        if known.engine is not None and not known.dropped:
            self.used[known.engine] = now

    def _end(self, known: ModelRequest, now: int) -> None:
        known.done, known.prefill, known.orphaned, known.owner, known.incarnation = True, False, False, "", ""
        known.tokens = (0, 0)
        known.due = now + self.tombstone_ticks
        self._leave()

    def _leave(self) -> None:
        needed = {known.owner for known in self.requests.values() if known.live}
        for name, owner in list(self.owners.items()):
            if not owner.alive and owner.known_until is None and not owner.named_until and name not in needed:
                del self.owners[name]

    def _reprieve(self, known: ModelRequest, now: int) -> int:
        owner = self.owners.get(known.owner)
        if owner is not None and owner.superseded(known.incarnation):
            return 0
        if owner is None or owner.until is None:
            return 0
        if owner.alive:
            return self.request_ticks
        if not known.orphaned:
            return self.orphan_ticks
        until = owner.until + (self.request_ticks if self.holding else self.orphan_ticks)
        return max(0, min(until - now, self.orphan_ticks))

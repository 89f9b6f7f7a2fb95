# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What only some requests have: tokens that they hold, a refresh that renewed them, a gateway that owns them.

Owned by the ledger; every method wants its lock held. Always true: a live record with an owner is one of its
`requests`, under `ORPHANED` exactly where it is counted so.
"""

from __future__ import annotations

from loadstats.ledger.cluster import Engine
from loadstats.ledger.record import HELD, ORPHANED, More, Owner, Record, fingerprint
from loadstats.ledger.state import BUCKETS, State


class Extras(State):
    """The state, and what can be said of requests beside their phases."""

    @staticmethod
    def _more(record: Record) -> More:
        more = record.more
        if more is None:
            more = record.more = More(record=record)
        return more

    def _count_tokens(self, crc: int, record: Record, input_tokens: int, output_tokens: int) -> bool:
        """Let a record that is not done hold so many tokens, if that is more. Whether anything changed."""
        more = record.more
        known = (0, 0) if more is None else (more.input_tokens, more.output_tokens)
        if input_tokens <= known[0] and output_tokens <= known[1]:
            return False
        before = fingerprint(record, crc)
        more = self._more(record)
        held = sum(known)
        more.input_tokens = max(more.input_tokens, input_tokens)
        more.output_tokens = max(more.output_tokens, output_tokens)
        if (engine := record.engine) is not None:
            engine.token_num += more.input_tokens + more.output_tokens - held
        self._digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        return True

    def _renew(self, crc: int, record: Record, stamp_ms: int, due_tick: int, *, heard: bool = True) -> bool:
        """A live record was refreshed at a time: it falls due no earlier than told. False where that is no news, of
        which the same is true as of a heartbeat, see `_beat`."""
        more = record.more
        if more is None or stamp_ms > more.refreshed_ms:
            before = fingerprint(record, crc)
            more = self._more(record)
            more.refreshed_ms = stamp_ms
            self._digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        elif not (heard and due_tick > record.due_tick):
            return False
        if due_tick > record.due_tick and not more.orphaned:
            self._place(record, due_tick)
        return True

    def _owner(self, name: str, most: float) -> Owner | None:
        """The owner of this name, known from now on; None where there are `most` already.

        Whoever calls this gives it a request or a heartbeat, or calls `_leave`.
        """
        owner = self._owners.get(name)
        if owner is None and len(self._owners) < most:
            owner = self._owners[name] = Owner(name=name)
            self._counts.owners += 1
        return owner

    def _beat(self, owner: Owner, stamp_ms: int, due_tick: int, *, heard: bool = True) -> bool:
        """An owner lives until a tick, as it said at a time. False where that is no news.

        It is where the stamp is later, and where the tick is: it may have said so to a node whose clock is behind. But
        not where a node only knows of it (`heard`): such ticks grow by a second each time that they are told.
        """
        if stamp_ms <= owner.beat_ms and not (heard and due_tick > owner.due_tick):
            return False
        owner.beat_ms = max(stamp_ms, owner.beat_ms)
        owner.due_tick = due_tick
        if not owner.alive:
            owner.alive = True
            self._turning[owner.name] = owner
        if owner.next is not None:
            self._lapses.remove(owner)
        self._lapses.place(owner, due_tick)
        return True

    def _own(self, record: Record, name: str, tick: int, most: float) -> None:
        """A live record belongs to a gateway. It stays without one where there are `most` already."""
        owner = self._owner(name, most)
        if owner is None:
            self._counts.forgotten += 1
            return
        more = self._more(record)
        more.owner = owner
        owner.requests_num += 1
        lapsed = owner.beat_ms and not owner.alive
        owner.requests.place(more, ORPHANED if lapsed else HELD)
        if lapsed:
            self._orphan(record, more, tick, orphaned=True)

    def _orphan(self, record: Record, more: More, tick: int, *, orphaned: bool) -> None:
        """Count a live record as one whose owner has lapsed, or no longer so."""
        assert record.engine is not None
        more.orphaned = orphaned
        change = 1 if orphaned else -1
        record.engine.orphaned_req_num += change
        self._counts.orphans += change
        self._place(record, tick + (self._orphan_ticks if orphaned else self._request_ticks))

    def _strip(self, record: Record, more: More, engine: Engine) -> None:
        """A live record ends: with it go its tokens and its place among its owner's."""
        engine.token_num -= more.input_tokens + more.output_tokens
        if more.orphaned:
            engine.orphaned_req_num -= 1
            self._counts.orphans -= 1
        if (owner := more.owner) is not None:
            owner.requests.remove(more)
            owner.requests_num -= 1
            self._leave(owner)
        record.more = None

    def _leave(self, owner: Owner) -> None:
        """Forget an owner that has no requests, unless its heartbeat is remembered."""
        if not owner.requests_num and owner.next is None:
            owner.requests.clear()
            self._turning.pop(owner.name, None)
            del self._owners[owner.name]
            self._counts.owners -= 1

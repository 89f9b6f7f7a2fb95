# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The gateways that requests name: which are alive, and whose requests are orphaned.

Owned by the ledger; every method wants its lock held. Always true: a live record with an owner is one of the owner's
`requests`, or of those of the incarnation that it names, under `ORPHANED` exactly where it is counted so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from loadstats.ledger.client import LOOKS
from loadstats.ledger.clients import Clients
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.due_records import DueRecords
from loadstats.ledger.expiry_queue import ExpiryQueue
from loadstats.ledger.incarnations import MAX_HEARD, MAX_INCARNATIONS, Incarnations
from loadstats.ledger.limits import LedgerFull, LedgerLimits
from loadstats.ledger.record import HELD, ORPHANED, Incarnation, Owner, Record, RecordExtras
from loadstats.ledger.signals import count
from loadstats.ledger.sizes import owner_size

SOON_SECONDS = 5
# The heartbeat of an owner without requests is forgotten so long after it was taken, and peers hear of it for half that
# time: else two nodes would remind each other of it for as long as it promised.
UNUSED_SECONDS = 120
TOLD_SECONDS = 60
MOST_TURNED = 256  # owners that turned and were not asked for yet: the later ones matter


class TurnedOwner(NamedTuple):
    """An owner that fell silent, or came back.

    `requests`: how many it had in flight then.
    """

    name: str
    alive: bool
    requests: int


class Owners:
    """The owners by name.

    `size`: how many there are; one with a long name counts as several (`sizes.py`).
    `turned`: those that fell silent or came back, the last at the end; whoever reads them takes them out.
    """

    def __init__(self, limits: LedgerLimits, counts: LedgerCounts, due: DueRecords, clients: Clients) -> None:
        self.size = 0
        self.turned: deque[TurnedOwner] = deque(maxlen=MOST_TURNED)
        self._clients = clients
        self._limits = limits
        self._counts = counts
        self._due = due
        self._owners: dict[str, Owner] = {}
        self._lapses: ExpiryQueue[Owner] = ExpiryQueue()  # by when they lapse, and then by when that is forgotten
        self._heard: dict[Owner, None] = {}  # those that sent heartbeats, by `heard_tick`
        self._turning: dict[str, Owner] = {}  # some of whose requests may be counted as before
        self._incarnations = Incarnations(limits, counts)

    def __len__(self) -> int:
        return len(self._owners)

    def __iter__(self) -> Iterator[Owner]:
        return iter(self._owners.values())

    def clusters_of(self, name: str) -> set[str]:
        """Return the clusters in which an owner of this name has requests in flight."""
        owner = self._owners.get(name)
        if owner is None:
            return set()
        found = set()
        for requests in (owner.requests, *(each.requests for each in owner.incarnations.values())):
            for _, extras in requests:
                record = extras.record
                engine = None if record is None else record.engine
                if engine is not None and engine.cluster is not None:
                    found.add(engine.cluster.name)
        return found

    def make_room(self, name: str, client: str, tick: int) -> None:
        """Let a client name an owner. Forgets one that has been unused for a while if need be. Raises LedgerFull.

        What a forgotten owner had was a heartbeat or an incarnation. Its next one brings it back.
        """
        cap = self._limits.max_owners
        if self.size * 2 <= cap or name in self._owners:
            return
        if self.size >= cap and not self._forget_one(tick):
            raise LedgerFull("owners", cap)
        by = self._clients.held(client)
        if by is not None and (share := self._clients.excess(cap, self.size, by.owners.size)):
            owner = by.owners.first(lambda each: _is_unused(each, tick))
            if not isinstance(owner, Owner):
                raise LedgerFull("owners", cap, share)
            self._forget(owner)

    def check_incarnation(self, name: str, incarnation: str) -> None:
        """Raise LedgerFull where an owner has no room for another incarnation."""
        owner = self._owners.get(name)
        if owner is not None and not self._incarnations.has_room(owner, incarnation, MAX_INCARNATIONS):
            raise LedgerFull("incarnations of an owner", MAX_INCARNATIONS)

    def first_seen(self, name: str, incarnation: str, wall_ns: int) -> int:
        """Return when an owner's incarnation was first seen, in wall-clock ms: now, if it is new."""
        return self._incarnations.first_seen(self._owners.get(name), incarnation, wall_ns)

    def find(self, name: str, most: float, client: str = "") -> Owner | None:
        """Return the owner of this name, known from now on for a client; None where there are `most` already.

        The caller gives it a request or a heartbeat, or calls `forget_idle`.
        """
        owner = self._owners.get(name)
        if owner is None and self.size < most:
            owner = self._owners[name] = Owner(name=name)
            self._counts.owners += 1
            size = owner_size(name)
            self.size += size
            if client:
                owner.client = by = self._clients.of(client)
                by.owners.add(owner, size)
        return owner

    def beat(self, owner: Owner, stamp_ms: int, due_tick: int, tick: int, *, heard: bool = True) -> bool:
        """Take a heartbeat at a tick: the owner lives until `due_tick`. Returns False if it changes nothing.

        A heartbeat is new if its stamp is later than the last. It is also new if its tick is later, for a node whose
        clock is behind may have taken it; but not from a node that only knows of it (`heard` is False), because such
        ticks grow by a second at each report.
        """
        if stamp_ms <= owner.beat_ms and not (heard and due_tick > owner.due_tick):
            return False
        owner.heard_tick = max(owner.heard_tick, tick if heard else tick - TOLD_SECONDS + 1)
        self._heard.pop(owner, None)
        self._heard[owner] = None
        if owner.lapsed:
            self.turned.append(TurnedOwner(owner.name, True, owner.requests_num))
        owner.beat_ms = max(stamp_ms, owner.beat_ms)
        owner.due_tick = due_tick
        if not owner.alive:
            owner.alive = True
            self._turning[owner.name] = owner
        if owner.next is not None:
            self._lapses.remove(owner)
        self._lapses.place(owner, due_tick)
        return True

    def excuse(self, ticks: int, tick: int) -> None:
        """Let the heartbeats that held so many ticks ago hold for as much longer: nothing could be heard since then."""
        for owner in self._owners.values():
            if owner.alive and owner.due_tick + ticks > tick:
                self._lapses.remove(owner)
                owner.due_tick += ticks
                self._lapses.place(owner, owner.due_tick)

    def hear(self, owner: Owner, incarnation: str, since_ms: int, tick: int) -> Incarnation:
        """Take that an incarnation of an owner was named, first seen at `since_ms`. It stands if it was seen last."""
        found = self._incarnations.hear(owner, incarnation, since_ms, tick)
        if owner.next is None:
            self._lapses.place(owner, max(owner.known_until, owner.due_tick + 1))
        return found

    def note(
        self, name: str, incarnation: str, since_ms: int, tick: int, most: float, client: str = ""
    ) -> Incarnation | None:
        """Do the same for an owner by name, known from now on. Returns None where there are `most` already, or where
        it has no room for another incarnation."""
        owner = self.find(name, most, client)
        if owner is None or not self._incarnations.has_room(owner, incarnation, MAX_HEARD):
            return None
        return self.hear(owner, incarnation, since_ms, tick)

    def learn(self, name: str, seen: Mapping[str, int], remaining_seconds: int, tick: int, most: float) -> None:
        """Take which incarnations of an owner a peer knows, and for how long it remembers them.

        What is soon forgotten is not taken by a node that has forgotten it: else two nodes would remind each other for
        ever.
        """
        owner = self._owners.get(name)
        if owner is None:
            if remaining_seconds <= SOON_SECONDS:
                return
            owner = self.find(name, most)
            if owner is None:
                self._counts.forgotten += 1
                return
            owner.known_until = tick + min(remaining_seconds, self._limits.request_ticks)
        self._incarnations.learn(owner, seen, tick)
        if owner.next is None and owner.known_until > tick:
            self._lapses.place(owner, owner.known_until)

    def told(self, owner: Owner, tick: int) -> tuple[int, dict[str, int]]:
        """Return for how many seconds an owner's incarnations are remembered, and when each was first seen."""
        return owner.known_until - tick, self._incarnations.told(owner, tick)

    def own(
        self,
        record: Record,
        name: str,
        tick: int,
        most: float,
        incarnation: str = "",
        since_ms: int = 0,
        client: str = "",
    ) -> None:
        """Give a live record to a gateway, and to the incarnation that its add named.

        It stays without one where there are `most` already, and without an incarnation where the owner has no room for
        another.
        """
        owner = self.find(name, most, client)
        if owner is None:
            self._counts.forgotten += 1
            return
        extras = record.extras
        if extras is None:
            extras = record.extras = RecordExtras(record=record)
        extras.owner = owner
        owner.requests_num += 1
        requests, orphaned = owner.requests, owner.lapsed
        if incarnation and self._incarnations.has_room(owner, incarnation, MAX_HEARD):
            found = extras.incarnation = self.hear(owner, incarnation, since_ms, tick)
            found.requests_num += 1
            requests, orphaned = found.requests, orphaned or found.superseded
        requests.place(extras, ORPHANED if orphaned else HELD)
        if orphaned:
            self._orphan(record, extras, tick, orphaned=True)

    def release(self, extras: RecordExtras) -> None:
        """Take a record that is no longer live from its owner."""
        if extras.orphaned:
            self._counts.orphans -= 1
        if (owner := extras.owner) is not None:
            owner.requests.remove(extras)
            owner.requests_num -= 1
            if extras.incarnation is not None:
                self._incarnations.released(extras.incarnation)
            self.forget_idle(owner)

    def forget_idle(self, owner: Owner) -> None:
        """Forget an owner that has no requests, unless its heartbeat or an incarnation is remembered."""
        if not owner.requests_num and owner.next is None:
            owner.requests.clear()
            self._incarnations.clear(owner)
            self._turning.pop(owner.name, None)
            self._heard.pop(owner, None)
            del self._owners[owner.name]
            self._counts.owners -= 1
            self.size -= owner_size(owner.name)
            if (client := owner.client) is not None:
                owner.client = None
                client.owners.remove(owner)
                self._clients.forget_idle(client)

    def lapse(self, tick: int, wall_ns: int, most: int) -> int:
        """Count requests of silent gateways and of superseded incarnations as orphaned, and back where they are not.

        Handles at most `most` gateways and requests. Returns how many.
        """
        handled = 0
        while handled < most and (owner := self._lapses.pop_due(tick)) is not None:
            handled += 1
            if owner.alive:
                owner.alive = False
                self.turned.append(TurnedOwner(owner.name, False, owner.requests_num))
                self._turning[owner.name] = owner
                self._lapses.place(owner, max(owner.due_tick + self._limits.request_ticks, tick + 1))
            elif owner.known_until > tick:
                self._lapses.place(owner, owner.known_until)
            else:
                self.forget_idle(owner)
        handled += self._forget_unused(tick, most - handled)
        while handled < most and self._turning:
            owner = next(iter(self._turning.values()))
            if not self._turn(owner, tick, wall_ns):
                del self._turning[owner.name]
            handled += 1
        return handled + self.settle(tick, wall_ns, most - handled)

    def settle(self, tick: int, wall_ns: int, most: int) -> int:
        """Count at most `most` requests of incarnations as these are now. Returns how many were looked at."""
        handled, unsettled = 0, self._incarnations.unsettled
        while handled < most and unsettled:
            key, incarnation = next(iter(unsettled.items()))
            orphaned = incarnation.superseded or incarnation.owner.lapsed
            if not self._move(incarnation.requests, tick, wall_ns, orphaned=orphaned):
                del unsettled[key]
            handled += 1
        return handled

    def clear(self) -> None:
        """Forget all owners."""
        self._lapses.clear()
        for owner in self._owners.values():
            owner.requests.clear()
            owner.client = None
            self._incarnations.clear(owner)
        self._owners.clear()
        self._turning.clear()
        self._heard.clear()
        self.size = 0

    @staticmethod
    def is_told(owner: Owner, tick: int) -> bool:
        """Return whether peers should hear of an owner's heartbeat."""
        if not owner.beat_ms:
            return False
        return owner.requests_num > 0 or not owner.alive or owner.heard_tick + TOLD_SECONDS > tick

    def _forget_unused(self, tick: int, most: int) -> int:
        """Forget heartbeats of owners that have had no requests for a while. Returns how many were looked at."""
        handled = 0
        while handled < most and self._heard:
            owner = next(iter(self._heard))
            if owner.heard_tick + UNUSED_SECONDS > tick:
                break
            handled += 1
            del self._heard[owner]
            if owner.requests_num:
                owner.heard_tick = tick
                self._heard[owner] = None
            elif owner.alive:
                self._forget_beat(owner, tick)
        return handled

    def _forget_beat(self, owner: Owner, tick: int) -> None:
        """Make of an unused owner one that never sent a heartbeat: it has not lapsed."""
        self._lapses.remove(owner)
        self._turning.pop(owner.name, None)
        owner.alive, owner.beat_ms, owner.due_tick = False, 0, 0
        if owner.known_until > tick:
            self._lapses.place(owner, owner.known_until)
        else:
            self.forget_idle(owner)

    def _forget(self, owner: Owner) -> None:
        """Forget an owner without requests, whatever is remembered of it."""
        if owner.next is not None:
            self._lapses.remove(owner)
        self.forget_idle(owner)

    def _forget_one(self, tick: int) -> bool:
        """Forget an owner without requests. Returns whether one of the first was found; they stand last after that."""
        for owner in list(islice(self._owners.values(), LOOKS)):
            if _is_unused(owner, tick):
                self._forget(owner)
                return True
            self._owners[owner.name] = self._owners.pop(owner.name)
        return False

    def _turn(self, owner: Owner, tick: int, wall_ns: int) -> bool:
        """Count one of an owner's requests as the owner is now. Returns False if all are."""
        if self._move(owner.requests, tick, wall_ns, orphaned=owner.lapsed):
            return True
        present = owner.present  # what is superseded is orphaned either way
        return present is not None and self._move(present.requests, tick, wall_ns, orphaned=owner.lapsed)

    def _move(self, requests: ExpiryQueue[RecordExtras], tick: int, wall_ns: int, *, orphaned: bool) -> bool:
        """Count one of these requests as orphaned, or no longer so. Returns False if all are."""
        source, target = (HELD, ORPHANED) if orphaned else (ORPHANED, HELD)
        extras = requests.pop_due_at(source)
        if extras is None:
            return False
        requests.place(extras, target)
        record = extras.record
        assert record is not None
        assert record.engine is not None
        self._orphan(record, extras, tick, orphaned=orphaned)
        record.engine.changed(wall_ns)
        return True

    def _orphan(self, record: Record, extras: RecordExtras, tick: int, *, orphaned: bool) -> None:
        """Count a live record as one whose owner has lapsed or started anew, or no longer so."""
        engine = record.engine
        assert engine is not None
        count(engine, record, -1)
        extras.orphaned = orphaned
        count(engine, record, 1)
        self._counts.orphans += 1 if orphaned else -1
        self._due.move(record, tick + (self._limits.orphan_ticks if orphaned else self._limits.request_ticks))


def _is_unused(owner: Owner, tick: int) -> bool:
    """Return whether an owner has no requests, and was not heard of for a while."""
    return not owner.requests_num and owner.heard_tick + TOLD_SECONDS <= tick

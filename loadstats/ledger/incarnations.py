# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which incarnation of each gateway stands: the one that was first seen last.

Owned by `Owners`; every method wants the ledger's lock held. Always true: an owner with incarnations has one that
stands, `present`, with the largest rank, and all others are superseded. What was first seen at two nodes counts from
the earlier stamp, so an incarnation that was superseded does not come back.

An owner's superseded incarnations are remembered while the owner is, `MAX_SUPERSEDED` of them, and more where they have
requests in flight. Of more, those go that were not heard of for longest. All in all an owner has at most
`MAX_INCARNATIONS`, and a client at most as many for each owner of its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.event import later_ms
from loadstats.ledger.limits import LedgerLimits
from loadstats.ledger.record import Incarnation, Owner

MAX_SUPERSEDED = 8
MAX_INCARNATIONS = 64  # of an owner, by clients' calls: each takes up to a kilobyte
MAX_HEARD = 80  # of an owner, by peers' reports: what peers took before they were at their bound must find room here


class Incarnations:
    """The incarnations of all owners.

    `unsettled`: by owner and name, those of whose requests some may be counted as before.
    """

    def __init__(self, limits: LedgerLimits, counts: LedgerCounts) -> None:
        self.unsettled: dict[tuple[str, str], Incarnation] = {}
        self._limits = limits
        self._counts = counts

    @staticmethod
    def first_seen(owner: Owner | None, name: str, wall_ns: int) -> int:
        """Return when an incarnation was first seen, in wall-clock ms.

        A new one is seen now, and later than each that is known of its owner.
        """
        found = None if owner is None else owner.incarnations.get(name)
        if found is not None:
            return found.since_ms
        return later_ms(wall_ns, 0 if owner is None or owner.present is None else owner.present.since_ms)

    @staticmethod
    def has_room(owner: Owner, name: str, most: int) -> bool:
        """Return whether an owner's incarnation is known, or fewer than `most` are."""
        return name in owner.incarnations or len(owner.incarnations) < most

    def hear(self, owner: Owner, name: str, since_ms: int, tick: int) -> Incarnation:
        """Take that a gateway, or a peer, named an incarnation at a tick. The caller has seen that there is room."""
        found = owner.present
        if found is None or found.name != name or since_ms < found.since_ms:
            found = self._see(owner, name, since_ms)
            owner.incarnations[name] = owner.incarnations.pop(name)  # the last one heard of stands last
            self._forget_some(owner, found)
        found.heard_tick = max(found.heard_tick, tick)
        owner.known_until = max(owner.known_until, tick + self._limits.request_ticks)
        return found

    def learn(self, owner: Owner, seen: Mapping[str, int], tick: int) -> None:
        """Take which incarnations a peer knows, and when each was first seen.

        Superseded ones that are new here are taken while there is room: else two nodes would push out each other's.
        """
        for name, since_ms in seen.items():
            present = owner.present
            if not self.has_room(owner, name, MAX_HEARD):
                continue
            known = name in owner.incarnations
            room = len(owner.incarnations) <= MAX_SUPERSEDED
            if known or room or present is None or (since_ms, name) > present.rank:
                found = self._see(owner, name, since_ms)
                if not known:
                    found.heard_tick = tick
        self._forget_some(owner, None)

    def told(self, owner: Owner, tick: int) -> dict[str, int]:
        """Return when each incarnation was first seen that peers have to know: the one that stands, and others that
        were heard of since requests may be under way. A peer hears of any other before it matters."""
        since = tick - self._limits.request_ticks
        return {
            each.name: each.since_ms
            for each in islice(reversed(owner.incarnations.values()), MAX_SUPERSEDED + 1)
            if each.heard_tick > since or not each.superseded
        }

    def released(self, incarnation: Incarnation) -> None:
        """Note that one of an incarnation's requests is no longer live."""
        incarnation.requests_num -= 1
        incarnations = incarnation.owner.incarnations
        if incarnation.superseded and not incarnation.requests_num and len(incarnations) > MAX_SUPERSEDED + 1:
            self._forget(incarnation)

    def clear(self, owner: Owner) -> None:
        """Forget an owner's incarnations. They and the owner point at each other."""
        for each in owner.incarnations.values():
            each.requests.clear()
            self.unsettled.pop((owner.name, each.name), None)
        owner.incarnations.clear()
        owner.present = None

    def _see(self, owner: Owner, name: str, since_ms: int) -> Incarnation:
        """Return an owner's incarnation, known from now on, and let the right one stand."""
        found = owner.incarnations.get(name)
        if found is None:
            found = owner.incarnations[name] = Incarnation(owner, name, since_ms)
        elif since_ms < found.since_ms:
            found.since_ms = since_ms
            if found is owner.present:  # another one may have been first seen later
                self._stand(max(owner.incarnations.values(), key=lambda each: each.rank))
        if owner.present is None or found.rank > owner.present.rank:
            self._stand(found)
        return found

    def _stand(self, incarnation: Incarnation) -> None:
        owner = incarnation.owner
        before = owner.present
        if before is incarnation:
            return
        owner.present = incarnation
        self._turn(incarnation, superseded=False)
        if before is not None:
            owner.incarnations[before.name] = owner.incarnations.pop(before.name)  # it was heard of until now
            self._counts.superseded += 1
            self._turn(before, superseded=True)

    def _turn(self, incarnation: Incarnation, *, superseded: bool) -> None:
        incarnation.superseded = superseded
        if incarnation.requests_num:
            self.unsettled[incarnation.owner.name, incarnation.name] = incarnation

    def _forget_some(self, owner: Owner, heard: Incarnation | None) -> None:
        """Forget superseded incarnations over the bound, but not the one just heard of. Those with requests stay."""
        if len(owner.incarnations) > MAX_SUPERSEDED + 1:
            for each in list(owner.incarnations.values()):
                if len(owner.incarnations) <= MAX_SUPERSEDED + 1:
                    break
                if each.superseded and not each.requests_num and each is not heard:
                    self._forget(each)

    def _forget(self, incarnation: Incarnation) -> None:
        incarnation.requests.clear()
        self.unsettled.pop((incarnation.owner.name, incarnation.name), None)
        del incarnation.owner.incarnations[incarnation.name]

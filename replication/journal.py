# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The events that this node took from its own clients, numbered. They are kept until every peer and the node's own tail
has them, or the room is needed.

Appended to under the ledger's lock, by whichever thread a client's call runs on; read and trimmed by the event loop.
One journal serves all peers, so that a peer that is down costs no memory of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from loadstats.ledger import Origin
from replication.entities import Event

# About 200 bytes each: 50 MB at the most, and two minutes of a partition at 2,000 events/s.
CAPACITY = 262_144
# Of what large events hold, beside that. A push carries no more than the second.
CAPACITY_BYTES = 64 * 1024 * 1024
PUSH_BYTES = 512 * 1024
# Kept though every peer has them, for a node that pulls a snapshot just now and has not said so yet.
SPARE = 16_384


class Journal:
    """Events of one origin.

    `origin`: whose events they are.
    `oldest`: the number of the first event still here; `latest + 1` if there is none.
    `latest`: the number of the last event.
    `blank`: up to which number there never was an event; 0 as a rule.
    `written`: up to which event this node's own tail has them; None: it keeps none.
    `on_append`: called after each event, with the ledger's lock held, so it must be quick.
    """

    def __init__(self, origin: Origin, *, capacity: int = CAPACITY, spare: int = SPARE) -> None:
        self.origin = origin
        self.latest = 0
        self.oldest = 1
        self.blank = 0
        self.written: int | None = None
        self.on_append: Callable[[], None] = lambda: None
        self._capacity = capacity
        self._spare = spare
        self._events: list[Event] = []
        self._times: list[float] = []
        self._sizes: dict[int, int] = {}  # of the large ones, by number
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def begin_behind_gap(self) -> None:
        """Give the first number to nothing, before there is any event: so peers see that they lack something of this
        node, hold tombstones, and pull everything."""
        assert not self.latest
        self.blank = self.latest = 1
        self.oldest = 2

    def append(self, event: Event, now: float, size: int = 0) -> int:
        """Append an event. `size` is its bytes if they are many, else 0. Returns its number."""
        if size:
            self._sizes[self.latest + 1] = size
            self._bytes += size
        self._events.append(event)
        self._times.append(now)
        self.latest += 1  # last: the loop may read meanwhile, and looks no further than this
        self.on_append()
        return self.latest

    def read(self, first: int, most: int) -> tuple[list[Event], float]:
        """Return up to `most` events from number `first` on, fewer if they are large, and when the first was taken.

        `first` is between `oldest` and `latest`.
        """
        last = min(first + most - 1, self.latest)
        if self._sizes:
            room = PUSH_BYTES
            for number in range(first, last + 1):
                room -= self._sizes.get(number, 0)
                if room < 0 and number > first:
                    last = number - 1
                    break
        at = first - self.oldest
        return self._events[at : last + 1 - self.oldest], self._times[at]

    def later_seconds(self, first: int, number: int) -> list[int]:
        """Return how many whole seconds after the first of these each was taken; empty if all were within one."""
        at = first - self.oldest
        taken = self._times[at]
        if self._times[at + number - 1] - taken < 1:
            return []
        return [int(each - taken) for each in self._times[at : at + number]]

    def taken_at(self, number: int) -> float | None:
        """Return when an event was taken; None if it is no longer here, or not yet. From any thread."""
        times = self._times
        at = number - (self.latest - len(times) + 1)
        found = times[at : at + 1] if at >= 0 else []
        return found[0] if found else None

    def trim(self, acknowledged: int) -> None:
        """Drop what all peers have (`acknowledged`) and the tail too, but for the spare, and what is over the capacity.

        The tail is a reader like any peer: what is not written would be lost with this life, though every peer has it.
        All of them may lose their memory at once.
        """
        latest = self.latest  # once: an event that another thread appends meanwhile is not counted among those held
        if self.written is not None:
            acknowledged = min(acknowledged, self.written)
        held = latest + 1 - self.oldest
        keep = max(self._spare, latest - acknowledged)
        surplus = held - min(keep, self._capacity)
        if self._bytes > CAPACITY_BYTES:
            surplus = min(held, max(surplus, self._overweight()))
        elif surplus <= self._spare // 4:  # in gulps: each moves what is left
            return
        del self._events[:surplus]
        del self._times[:surplus]
        self.oldest += surplus
        while self._sizes and (number := next(iter(self._sizes))) < self.oldest:
            self._bytes -= self._sizes.pop(number)

    def _overweight(self) -> int:
        """Return how many of the oldest events must go for the large ones to take a quarter less than they may."""
        excess = self._bytes - CAPACITY_BYTES * 3 // 4
        for number, size in self._sizes.items():
            excess -= size
            if excess <= 0:
                return number + 1 - self.oldest
        return 0

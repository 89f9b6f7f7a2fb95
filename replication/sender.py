# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What one peer has of our journal, and what to push to it next. Pure: time and chance come in.

Owned by the event loop. One push is in flight at a time. While it is, the next events gather; when it is
acknowledged they go: at once where pushes are few, else a little later, so that batches grow with the load.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from enum import StrEnum

from replication.entities import Event
from replication.features import NO_FEATURES, NOTHING
from replication.journal import Journal
from replication.messages import MAX_EVENTS, Ack, Push
from replication.paths import VERSION
from runtime.config.console_url import console_url

# The time between the starts of two pushes, on average, so that events gather: a push costs two processes a wake-up
# each, about 300 µs of CPU, more than its events do. What was not used is saved up. So below 250 events/s each goes at
# once, and is lost only where the node dies in that very moment. A very busy journal waits longer: at 10,000 events/s a
# push carries 200.
GATHER_SECONDS = 0.004
SAVED = 25  # pushes, a tenth of a second's
QUIET_EVENTS = 2  # in so much time: of a journal with more nothing is saved
BUSY_GATHER_SECONDS = 0.020
BUSY_RATE = 5_000  # events/s since the push before
# An idle peer hears from us this often; that is how lost peers and restarted ones are noticed.
SIGN_OF_LIFE_SECONDS = 0.5
# After a failure: twice the last wait, within these, times a random half to whole. The longest is also how long a
# healed partition can go unnoticed.
SHORTEST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0


ForPeer = Callable[[list[Event], Set[str]], list[Event]]


def as_they_are(events: list[Event], features: Set[str]) -> list[Event]:
    """Return events for a peer that understands all of them."""
    return events


class LinkState(StrEnum):
    """How a peer is spoken to."""

    NEW = "new"  # has not answered yet
    CONNECTED = "connected"
    LOST = "lost"
    LEGACY = "legacy"  # knows the Go version's events alone


class Sender:
    """One peer, as the receiver of our journal.

    `state`: how the peer is spoken to.
    `since`: when that changed.
    `acknowledged`: the last event before which the peer has all of ours.
    `origin`: the peer's own, as it last said.
    `joined`: whether the peer has caught up, as it last said.
    `features`: what the peer understands, as it last said.
    `console_url`: where people reach the peer's console, as it last said; empty if it does not say.
    `failures`: pushes that failed since the last success.
    `last_error`: why the last one failed; empty once a push succeeds.
    `sent_events`: events that the peer has acknowledged, each once, whatever lives it has acknowledged them in.
    `refused_events`: events that the peer refused, each by itself, and that it was sent `NOTHING` for.

    `for_peer` returns events as a peer with some features understands them.
    """

    def __init__(self, journal: Journal, random: Callable[[], float], for_peer: ForPeer = as_they_are) -> None:
        self._journal = journal
        self._random = random
        self._for_peer = for_peer
        self.state = LinkState.NEW
        self.acknowledged = 0
        self.origin = ""
        self.joined = False
        self.features = NO_FEATURES
        self.console_url = ""
        self.last_error = ""
        self.failures = 0
        self.since = 0.0
        self.sent_events = 0
        self.refused_events = 0
        self._counted = 0  # up to which event they are counted
        # The last event, when the push was sent, when its first was taken: None where it holds none.
        self._in_flight: tuple[int, float, float | None] | None = None
        self._carried = 0  # events in flight
        self._most = MAX_EVENTS  # of the next push; fewer after one that was refused
        self._refused = 0  # the number of the last event that the peer refused by itself
        self._next_at = 0.0
        self._polled_at = 0.0
        self._saved = float(SAVED)  # pushes that may go without a wait

    @property
    def lag_events(self) -> int:
        """Events that the peer has not acknowledged."""
        return self._journal.latest - self.acknowledged

    @property
    def behind(self) -> bool:
        """Whether the peer is known to be without some of our events, or not known to have them."""
        return self.state is not LinkState.CONNECTED or self.failures > 0 or self.lag_events > MAX_EVENTS

    def lag_seconds(self, now: float) -> float:
        """How long the oldest of those has been waiting. From any thread, as is `lag_events`."""
        taken = self._journal.taken_at(max(self.acknowledged + 1, self._journal.oldest))
        return 0.0 if taken is None else max(0.0, now - taken)

    def begin(self) -> None:
        """A link begins, perhaps after another that ended with a push in flight."""
        self._in_flight = None

    def hurry(self) -> None:
        """Let the next push go at once, although the last ones failed."""
        self._next_at = 0.0

    def due(self, now: float) -> float | None:
        """When to call `poll` next: a time, now or later; None while a push is in flight."""
        if self._in_flight is not None:
            return None
        if self.lag_events or self.state is not LinkState.CONNECTED:
            return max(now, self._next_at)
        return max(now, self._next_at + SIGN_OF_LIFE_SECONDS)

    def poll(self, now: float) -> Push | None:
        """The push to send now; None where there is nothing to do yet."""
        due = self.due(now)
        if due is None or due > now:
            return None
        journal = self._journal
        first = max(self.acknowledged + 1, journal.oldest)
        if self.state is LinkState.CONNECTED and first <= journal.latest:
            events, taken = journal.read(first, self._most)
            age_ms = max(0, int((now - taken) * 1000))
            later_seconds = journal.later_seconds(first, len(events))
            self._in_flight = (first + len(events) - 1, now, taken)
            events = self._for_peer(events, self.features)
            if first <= self._refused < first + len(events):
                events = [*events]
                events[self._refused - first] = NOTHING
        else:  # first find out what the peer has
            events, age_ms, later_seconds = [], int(self.lag_seconds(now) * 1000), []
            self._in_flight = (first - 1, now, None)
        self._carried = len(events)
        self._next_at = now + self._gather_seconds(len(events), now - self._polled_at)
        self._polled_at = now
        return Push(VERSION, journal.origin.name, first, journal.oldest, age_ms, events, later_seconds)

    def _gather_seconds(self, events: int, passed: float) -> float:
        """How long the next push waits behind one of so many events, so long after the one before."""
        if BUSY_RATE * max(passed, GATHER_SECONDS) <= events < MAX_EVENTS:  # a full one is followed sooner
            self._saved = 0.0
            return BUSY_GATHER_SECONDS
        turns = passed / GATHER_SECONDS
        saved = turns if events <= QUIET_EVENTS * turns else 0.0
        self._saved = max(0.0, min(SAVED, self._saved + saved) - 1)
        return 0.0 if self._saved >= 1 else GATHER_SECONDS

    def took(self, ack: Ack, now: float) -> float | None:
        """The peer answered. Returns how long the first of the events took to get there, where there were any."""
        assert self._in_flight is not None
        last, sent, taken = self._in_flight
        self._in_flight = None
        self._change(LinkState.CONNECTED, now)
        self.failures = 0
        self.last_error = ""
        self.origin = ack.origin
        self.joined = ack.joined
        self.features = frozenset(ack.features)
        self.console_url = _checked(ack.console_url)
        watermark = min(ack.watermark, self._journal.latest)
        advanced = watermark - self.acknowledged
        self.acknowledged = watermark
        if advanced <= 0 and self.lag_events and last > self.acknowledged:
            self._next_at = sent + SIGN_OF_LIFE_SECONDS  # it must pull what we no longer have: let it
            return None
        if advanced > 0 and self._most < MAX_EVENTS:
            self._most = min(MAX_EVENTS, 2 * self._most)
        self._count(max(0, watermark - self._counted))
        return now - taken if taken is not None and advanced > 0 and last <= watermark else None

    def take_all(self) -> list[Event]:
        """The next events for a peer that acknowledges nothing: they count as sent."""
        first = max(self.acknowledged + 1, self._journal.oldest)
        if first > self._journal.latest:
            return []
        events, _ = self._journal.read(first, MAX_EVENTS)
        self.acknowledged = first + len(events) - 1
        self._count(len(events))
        return self._for_peer(events, NO_FEATURES)

    def refused(self, reason: str, now: float) -> None:
        """The peer refused the push: something in it is wrong to it, or the whole is too large.

        Half as many events are sent next. One that is refused by itself is sent no more: else nothing would ever get
        there again. Nodes of this release leave out what they cannot take; those before it refuse the whole push.
        """
        if self._carried > 1:
            self._most = self._carried // 2
        elif self._carried and self._in_flight is not None and self._refused != self._in_flight[0]:
            self._refused = self._in_flight[0]
            self.refused_events += 1
        self.failed(reason, now)

    def _count(self, events: int) -> None:
        """Count events that the peer has now. A peer that starts anew and is sent them again counts once."""
        self.sent_events += events
        self._counted = max(self._counted, self.acknowledged)

    def failed(self, reason: str, now: float, *, legacy: bool = False) -> None:
        """The push did not get through, or the peer does not know it (`legacy`)."""
        self._in_flight = None
        self.failures += 1
        self.last_error = reason
        self._change(LinkState.LEGACY if legacy else LinkState.LOST, now)
        wait = min(LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS * 2 ** min(self.failures - 1, 10))
        self._next_at = now + wait * (0.5 + self._random() / 2)

    def _change(self, state: LinkState, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.since = now


def _checked(url: str) -> str:
    """Return a peer's URL if pages may link to it; else nothing."""
    try:
        return console_url(url) if url else ""
    except ValueError:
        return ""

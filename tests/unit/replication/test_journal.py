# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from threading import Thread

import pytest

from loadstats.ledger import Added, Done, FirstToken, Origin
from replication import journal as journal_module
from replication.journal import Journal


def journal(capacity: int = 100, spare: int = 0) -> Journal:
    return Journal(Origin.of("a@1"), capacity=capacity, spare=spare)


def test_it_numbers_events_from_one_in_the_order_they_came() -> None:
    it = journal()
    assert (it.oldest, it.latest, len(it)) == (1, 0, 0)
    assert it.append(Added("r", "c", "10.0.0.1", 7), 1.0) == 1
    assert it.append(FirstToken("r"), 2.0) == 2
    assert it.append(Done("r"), 3.0) == 3
    assert (it.oldest, it.latest, len(it)) == (1, 3, 3)
    assert it.read(1, 10) == ([Added("r", "c", "10.0.0.1", 7), FirstToken("r"), Done("r")], 1.0)
    assert it.read(2, 1) == ([FirstToken("r")], 2.0)


def test_it_tells_how_much_later_than_the_first_events_were_taken() -> None:
    it = journal()
    for at in (1.0, 1.4, 2.5, 100.0):
        it.append(Done("r"), at)
    assert it.later_seconds(1, 2) == []
    assert it.later_seconds(1, 4) == [0, 0, 1, 99]
    assert it.later_seconds(2, 3) == [0, 1, 98]
    assert it.later_seconds(4, 1) == []


def test_it_tells_of_each_event() -> None:
    it = journal()
    seen: list[int] = []
    it.on_append = lambda: seen.append(it.latest)
    it.append(Done("a"), 0.0)
    it.append(Done("b"), 0.0)
    assert seen == [1, 2]


def test_it_lets_go_of_what_all_peers_have() -> None:
    it = journal()
    for number in range(10):
        it.append(Done(f"r{number}"), float(number))
    it.trim(4)
    assert (it.oldest, it.latest, len(it)) == (5, 10, 6)
    assert it.read(5, 1) == ([Done("r4")], 4.0)
    it.trim(10)
    assert (it.oldest, it.latest, len(it)) == (11, 10, 0)
    assert it.append(Done("next"), 11.0) == 11
    assert it.read(11, 5) == ([Done("next")], 11.0)


def test_it_keeps_a_spare_that_all_peers_have() -> None:
    it = journal(spare=8)
    for number in range(30):
        it.append(Done(f"r{number}"), 0.0)
    it.trim(30)
    assert len(it) == 8
    it.append(Done("r30"), 0.0)
    it.trim(31)
    assert len(it) == 9  # trimmed in gulps, not for each
    for number in range(2):
        it.append(Done(f"s{number}"), 0.0)
    it.trim(33)
    assert len(it) == 8


def test_a_peer_that_is_down_costs_no_more_than_the_capacity() -> None:
    it = journal(capacity=16)
    for number in range(100):
        it.append(Done(f"r{number}"), 0.0)
        it.trim(0)
    assert len(it) == 16
    assert (it.oldest, it.latest) == (85, 100)
    assert it.read(85, 1)[0] == [Done("r84")]


def test_it_keeps_what_the_tail_has_not_written_though_all_peers_have_it() -> None:
    it = journal(capacity=16)
    for number in range(10):
        it.append(Done(f"r{number}"), 0.0)
    it.written = 0
    it.trim(10)
    assert it.oldest == 1
    it.written = 4
    it.trim(10)
    assert it.oldest == 5
    it.trim(2)
    assert it.oldest == 5
    it.written = 10
    it.trim(7)
    assert it.oldest == 8
    it.trim(10)
    assert len(it) == 0


def test_a_disk_that_takes_nothing_costs_no_more_than_the_capacity() -> None:
    it = journal(capacity=16)
    it.written = 0
    for number in range(100):
        it.append(Done(f"r{number}"), 0.0)
        it.trim(it.latest)
    assert (len(it), it.oldest) == (16, 85)


def test_numbers_hold_while_another_thread_appends() -> None:
    it = journal(capacity=5000)
    it.append(Done("r1"), 0.0)

    def append() -> None:
        for number in range(2, 20_001):
            it.append(Done(f"r{number}"), 0.0)

    thread = Thread(target=append)
    thread.start()
    first = 1
    while first < 20_000:
        first = max(first, it.oldest)
        if first > it.latest:
            continue
        events, _ = it.read(first, 64)
        assert [event.request_id for event in events] == [f"r{first + at}" for at in range(len(events))]
        first += len(events)
        it.trim(first - 1)
    thread.join()


def test_large_events_bound_a_push(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "PUSH_BYTES", 100)
    it = journal()
    for number in range(1, 9):
        it.append(Done(f"r{number}"), 0.0, 40 * (number % 2))
    assert len(it.read(1, 100)[0]) == 4  # the fifth would make 120
    assert len(it.read(2, 2)[0]) == 2
    it.append(Done("huge"), 0.0, 1000)
    assert [event.request_id for event in it.read(9, 100)[0]] == ["huge"]  # alone, but not never


def test_large_events_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "CAPACITY_BYTES", 1000)
    it = journal(capacity=100, spare=100)
    for number in range(30):
        it.append(Done(f"r{number}"), 0.0, 50 * (number % 2))
        it.trim(0)
        assert it._bytes <= 1000
    assert it._bytes == 750
    for number in range(12):
        it.append(Done(f"s{number}"), 0.0, 50)
        it.trim(0)
    assert it._bytes == sum(it._sizes.values()) <= 1000
    assert min(it._sizes) >= it.oldest > 1
    assert len(it) == it.latest + 1 - it.oldest


class TrimmedWhileAppended(Journal):
    """The loop trims in the midst of each append of another thread: the event is in the list, and not yet counted."""

    @property  # type: ignore[override]
    def latest(self) -> int:
        return self._counted

    @latest.setter
    def latest(self, number: int) -> None:
        self._counted = getattr(self, "_counted", 0)
        if number:
            self.trim(0)
        self._counted = number


def test_a_trim_in_the_midst_of_an_append_drops_nothing_that_a_peer_lacks() -> None:
    it = TrimmedWhileAppended(Origin.of("a@1"), capacity=100, spare=0)
    for number in range(20):
        it.append(Done(f"r{number}"), float(number))
        assert (it.oldest, len(it)) == (1, number + 1)
    assert it.read(1, 100) == ([Done(f"r{number}") for number in range(20)], 0.0)

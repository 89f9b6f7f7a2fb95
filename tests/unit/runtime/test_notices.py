# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The log of notices: its bounds, what it merges, what it takes from peers."""

from __future__ import annotations

import msgspec
import pytest

from runtime.notices import log as log_module
from runtime.notices.kind import SEVERITIES, Kind, Severity
from runtime.notices.log import BURST, MERGE_SECONDS, MOST_COPIES, MOST_NODES, MOST_OF_PEER, MOST_OF_PEERS, NoticeLog
from runtime.notices.notice import LONGEST_NAME, LONGEST_TEXT, NoticeCopy, copy_of, notice_of
from runtime.notices.shelf import KIND_SHARE, MOST_BYTES, Shelf


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(name: str = "a", clock: Clock | None = None) -> NoticeLog:
    return NoticeLog(f"{name}@1", name, clock or Clock())


def texts(log: NoticeLog) -> list[str]:
    return [each.text for each in log.newest_first()]


def copies(count: int, node: str = "b", origin: str = "b@1", kind: Kind = Kind.PEER_LOST) -> list[NoticeCopy]:
    return [
        NoticeCopy(origin, number, number, kind, "error", node, 0, 0, 1, "", "", "", f"p{number}", "", "lost")
        for number in range(1, count + 1)
    ]


def test_the_newest_come_first() -> None:
    clock = Clock()
    log = make(clock=clock)
    for name in "abc":
        log.report(Kind.PEER_JOINED, name, peer=name)
        clock.now += 1
    assert texts(log) == ["c", "b", "a"]
    assert [each.id for each in log.newest_first()] == ["a@1:3", "a@1:2", "a@1:1"]


def test_what_repeats_is_one_notice_with_a_count() -> None:
    clock = Clock()
    log = make(clock=clock)
    for _ in range(37):
        log.report(Kind.TASK_FAILED, f"at {clock.now:g}", item="expire")
        clock.now += 1
    (notice,) = log.newest_first()
    assert (notice.times, notice.first_at, notice.at, notice.text) == (37, 1000.0, 1036.0, "at 1036")
    assert notice.number == 1
    assert log.counts()[Kind.TASK_FAILED] == 37


def test_what_comes_back_after_a_pause_is_a_notice_of_its_own() -> None:
    clock = Clock()
    log = make(clock=clock)
    log.report(Kind.PEER_LOST, "lost", peer="p")
    clock.now += MERGE_SECONDS + 1
    log.report(Kind.PEER_LOST, "lost", peer="p")
    assert [each.times for each in log.newest_first()] == [1, 1]


def test_another_subject_or_severity_is_another_notice() -> None:
    log = make()
    log.report(Kind.GATEWAY_SILENT, "x", gateway="g")
    log.report(Kind.GATEWAY_SILENT, "x", gateway="h")
    log.report(Kind.GATEWAY_SILENT, "x", gateway="h", severity=Severity.INFO)
    assert len(log) == 3


def test_a_flood_of_one_kind_goes_on_as_one_notice_and_others_stay() -> None:
    log = make()
    log.report(Kind.NODE_STARTED, "started")
    for number in range(2_000):
        log.report(Kind.GATEWAY_SILENT, f"gateway {number}", gateway=f"g{number}")
    assert len(log) == 1 + BURST + 1
    assert "started" in texts(log)
    (rest,) = [each for each in log.newest_first() if each.times > 1]
    assert (rest.times, rest.subject.gateway) == (2_000 - BURST, "")
    assert rest.text.endswith("The last: gateway 1999")


def test_a_slow_flood_of_one_kind_pushes_out_its_own() -> None:
    clock = Clock()
    log = make(clock=clock)
    log.report(Kind.NODE_STARTED, "started")
    for number in range(1000):
        clock.now += MERGE_SECONDS
        log.report(Kind.GATEWAY_SILENT, "silent", gateway=f"g{number}")
    assert len(log) == 1 + log_module.MOST_OWN // KIND_SHARE
    assert texts(log)[-1] == "started"


def test_all_kinds_together_are_bounded() -> None:
    clock = Clock()
    log = make(clock=clock)
    for number in range(200):
        for kind in Kind:
            log.report(kind, "x", item=f"i{number}")
        clock.now += MERGE_SECONDS
    assert len(log) == log_module.MOST_OWN


def test_bytes_are_bounded() -> None:
    shelf = Shelf(100_000)
    clock = Clock()
    log = make(clock=clock)
    for number in range(800):
        clock.now += MERGE_SECONDS
        log.report(list(Kind)[number % 8], "é" * 1000, cluster=f"{number}" * 999, gateway="é" * 999)
        shelf.put(log.newest_first()[0])
    assert sum(each.size for each in shelf) <= MOST_BYTES
    assert 100 < len(shelf) < 800


def test_texts_are_cut_and_of_one_line() -> None:
    log = make()
    log.report(Kind.OPERATOR_ACT, "a\nb\x1b[2J" + "x" * 9999, item="\ud800" + "y" * 9999)
    (notice,) = log.newest_first()
    assert notice.text.startswith("a\\nb\\x1b[2J")
    assert len(notice.text) == LONGEST_TEXT
    assert len(notice.subject.item) == LONGEST_NAME
    assert notice.subject.item.startswith("?y")


def test_copies_reach_a_peer_once_and_ages_travel() -> None:
    here, there = Clock(), Clock()
    there.now = 77.0
    a, b = make("a", here), make("b", there)
    a.report(Kind.PEER_LOST, "lost", peer="p")
    here.now += 5
    a.report(Kind.PEER_LOST, "lost again", peer="p")
    here.now += 2
    assert b.take(a.beyond(b.seen())) == 1
    (notice,) = b.newest_first()
    assert (notice.id, notice.times, notice.at, notice.first_at) == ("a@1:1", 2, 75.0, 70.0)
    assert a.beyond(b.seen()) == []
    a.report(Kind.PEER_LOST, "and again", peer="p")
    assert b.take(a.beyond(b.seen())) == 1
    assert [each.times for each in b.newest_first()] == [3]


def test_notices_come_by_way_of_others_and_in_pages() -> None:
    a, b, c = make("a"), make("b"), make("c")
    for number in range(MOST_OF_PEER // 10):
        for kind in list(Kind)[:9]:
            a.report(kind, "x", item=f"{number}")
    while b.take(a.beyond(b.seen(), 7)):
        pass
    while c.take(b.beyond(c.seen(), 7)):
        pass
    assert [each.id for each in c.newest_first()] == [each.id for each in a.newest_first()]
    assert c.seen() == a.seen()


def test_an_older_copy_changes_nothing() -> None:
    a, b = make("a"), make("b")
    a.report(Kind.PEER_LOST, "once", peer="p")
    old = a.beyond({})
    a.report(Kind.PEER_LOST, "twice", peer="p")
    b.take(a.beyond({}))
    assert b.take(old) == 0
    assert texts(b) == ["twice"]


def test_a_node_takes_back_what_its_life_before_reported_and_not_its_own() -> None:
    before, now = make("a"), NoticeLog("a@2", "a", Clock())
    before.report(Kind.NODE_STARTED, "started")
    now.report(Kind.NODE_STARTED, "started anew")
    assert now.take([*before.beyond({}), *now.beyond({})]) == 1
    assert sorted(texts(now)) == ["started", "started anew"]


def test_the_last_notices_of_a_node_that_stops_leave_no_gap() -> None:
    a, b = make("a"), make("b")
    for peer in "xyz":
        a.report(Kind.PEER_LOST, peer, peer=peer)
    assert b.take(a.own_latest(1), partial=True) == 1
    assert b.take(a.beyond(b.seen())) == 2


def test_a_peers_share_is_bounded() -> None:
    log = make()
    log.report(Kind.NODE_STARTED, "own")
    kinds = list(Kind)
    log.take(each for kind in kinds for each in copies(50, origin=f"b@{kind}", kind=kind))
    assert len(log) == 1 + MOST_OF_PEER
    log.take(copies(1, node="c", origin="c@1"))
    for number in range(2 * MOST_NODES):
        log.take(copies(40, node=f"n{number}", origin=f"n{number}@1"))
    assert len(log) <= 1 + MOST_OF_PEERS
    assert "own" in texts(log)
    assert len(log.seen()) <= log_module.MOST_ORIGINS + 1


def test_what_a_later_release_reports_is_left_out_and_not_asked_for_again() -> None:
    log = make()
    (copy,) = copies(1)
    assert log.take([msgspec.structs.replace(copy, kind="moon_rose")]) == 0
    assert log.seen() == {"b@1": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"origin": ""},
        {"origin": "x" * 9999},
        {"number": 0},
        {"revision": 2**60},
        {"kind": "x" * 33},
        {"age_ms": -1},
        {"first_age_ms": 2**60},
        {"times": 0},
        {"cluster": "x" * 257},
        {"text": "x" * 401},
    ],
)
def test_a_copy_is_bounded_member_by_member(change: dict[str, object]) -> None:
    (copy,) = copies(1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(copy), type=NoticeCopy) == copy
    wrong = msgspec.msgpack.encode(msgspec.structs.replace(copy, **change))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(wrong, type=NoticeCopy)


def test_hostile_texts_become_one_line() -> None:
    (copy,) = copies(1)
    notice = notice_of(msgspec.structs.replace(copy, text="a\r\n\x1b]0;x\x07", first_age_ms=0, age_ms=9000), 100.0)
    assert notice is not None
    assert notice.text == "a\\r\\n\\x1b]0;x\\x07"
    assert notice.first_at == notice.at == 91.0  # it did not begin after it happened last
    assert copy_of(notice, 100.0).age_ms == 9000


def test_every_kind_fits_into_a_copy_and_has_a_severity() -> None:
    assert all(len(kind) <= 32 for kind in Kind)
    assert {SEVERITIES.get(kind, Severity.INFO) for kind in Kind} == set(Severity)
    assert [each.rank for each in Severity] == [0, 1, 2]
    assert MOST_COPIES <= MOST_OF_PEER

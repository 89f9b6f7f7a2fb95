# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The known peers, with a discovery and a clock that the tests play."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event, Thread

import pytest

from discovery.directory import MAX_PEERS, Directory, Lookups
from discovery.host import Host
from discovery.own import Own
from discovery.service import LookupFailed
from runtime.health import PartState
from tests.unit.discovery.fakes import Clock, FakeDiscovery

GRACE = 60.0
SECONDS = 60.0


@pytest.fixture
def discovery() -> FakeDiscovery:
    return FakeDiscovery()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(discovery: FakeDiscovery, clock: Clock) -> Directory:
    return make(discovery, clock)


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "discovery")


def make(discovery: FakeDiscovery, clock: Clock, own: str = "10.0.0.1", grace: float = GRACE) -> Directory:
    return Directory(
        discovery, Own(own, 8080), target_port=80, grace_seconds=grace, clock=clock, monotonic=lambda: clock() / 2
    )


def peers(directory: Directory) -> list[str]:
    return list(map(str, directory.peers()))


def answered(directory: Directory, discovery: FakeDiscovery, *hosts: str | Host) -> list[str]:
    """The peers after a refresh with this answer."""
    discovery.answer = hosts
    assert directory.refresh()
    return peers(directory)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged since the last call."""
    written = [f"{record.levelname} {record.getMessage()}" for record in caplog.records]
    caplog.clear()
    return written


def test_nobody_is_known_before_the_first_look_up(directory: Directory) -> None:
    assert directory.peers() == ()
    assert directory.lookups() == Lookups()
    assert directory.state() == (PartState.STARTING, "not looked up yet")


def test_peers_are_sorted_without_doubles_and_have_the_target_port(
    directory: Directory, discovery: FakeDiscovery
) -> None:
    found = answered(directory, discovery, "10.0.0.3", "10.0.0.2:9", "10.0.0.2", "10.0.0.2:80", "fd00::1", "10.0.0.3")
    assert found == ["10.0.0.2:9", "10.0.0.2:80", "10.0.0.3:80", "[fd00::1]:80"]


def test_addresses_written_differently_are_the_same(directory: Directory, discovery: FakeDiscovery) -> None:
    hosts = (Host("::ffff:10.0.0.2"), Host("10.0.0.2"), Host("FD00:0::1"), Host("fd00::1"), Host("::ffff:10.0.0.1"))
    assert answered(directory, discovery, *hosts) == ["10.0.0.2:80", "[fd00::1]:80"]


def test_the_own_address_is_left_out(directory: Directory, discovery: FakeDiscovery) -> None:
    assert answered(directory, discovery, "10.0.0.1", "10.0.0.2") == ["10.0.0.2:80"]


def test_several_nodes_may_share_the_own_address(directory: Directory, discovery: FakeDiscovery) -> None:
    assert answered(directory, discovery, "10.0.0.1:8080", "10.0.0.1:8081") == ["10.0.0.1:8081"]


def test_an_answer_of_nothing_but_this_node_means_that_it_is_alone(
    directory: Directory, discovery: FakeDiscovery
) -> None:
    answered(directory, discovery, "10.0.0.1", "10.0.0.2")
    assert answered(directory, discovery, "10.0.0.1") == []
    assert directory.state() == (PartState.OK, "peers known: 0")


def test_a_peer_missing_from_an_answer_is_dropped_at_once(directory: Directory, discovery: FakeDiscovery) -> None:
    answered(directory, discovery, "10.0.0.2", "10.0.0.3")
    assert answered(directory, discovery, "10.0.0.3") == ["10.0.0.3:80"]


@pytest.mark.parametrize("answer", [LookupFailed("x"), RuntimeError("x"), (), None, 5, ["10.0.0.9"], [Host("peer")]])
def test_peers_are_kept_for_the_grace_time_whatever_goes_wrong(
    directory: Directory, discovery: FakeDiscovery, clock: Clock, answer: object
) -> None:
    answered(directory, discovery, "10.0.0.2")
    discovery.answer = answer
    for _ in range(2):
        clock.seconds += GRACE - 1  # the test's steady clock runs at half the speed
        directory.refresh()
        assert peers(directory) == ["10.0.0.2:80"]
    clock.seconds += 2
    directory.refresh()
    assert peers(directory) == []


def test_the_grace_time_begins_anew_with_each_success(
    directory: Directory, discovery: FakeDiscovery, clock: Clock
) -> None:
    for _ in range(3):
        answered(directory, discovery, "10.0.0.2")
        clock.seconds += 2 * GRACE - 1
        discovery.fail()
        directory.refresh()
        assert peers(directory) == ["10.0.0.2:80"]


def test_without_a_grace_time_a_failure_drops_the_peers_at_once(discovery: FakeDiscovery, clock: Clock) -> None:
    directory = make(discovery, clock, grace=0)
    answered(directory, discovery, "10.0.0.2")
    assert answered(directory, discovery) == []


UNREACHABLE = "expected hosts with an IP address and a port from 1 to 65535 or none, got "


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (LookupFailed("peers.test: no such name"), "peers.test: no such name"),
        (RuntimeError("a\n b"), "RuntimeError: a b"),
        (LookupFailed("x" * 1000), "x" * 300),
        (LookupFailed(), "no reason given"),
        ((), "an empty answer"),
        (None, "TypeError: 'NoneType' object is not iterable"),
        ([Host("peer")], f"{UNREACHABLE}Host(address='peer', port=None)"),
        ([Host("10.0.0.2"), Host("10.0.0.3", 0)], f"{UNREACHABLE}Host(address='10.0.0.3', port=0)"),
        (["10.0.0.2"], f"{UNREACHABLE}'10.0.0.2'"),
    ],
)
def test_the_last_error_is_one_line(directory: Directory, discovery: FakeDiscovery, answer: object, error: str) -> None:
    discovery.answer = answer
    directory.refresh()
    assert directory.lookups().last_error == error


def test_every_change_is_logged_once(
    directory: Directory, discovery: FakeDiscovery, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        answered(directory, discovery, "10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert lines(caplog) == ["INFO peers: added 10.0.0.2:80, 10.0.0.3:80; removed none; known: 2"]
    for _ in range(3):
        answered(directory, discovery, "10.0.0.1", "10.0.0.3", "10.0.0.4")
    assert lines(caplog) == ["INFO peers: added 10.0.0.4:80; removed 10.0.0.2:80; known: 2"]


def test_a_failure_is_logged_when_it_begins_and_when_it_ends(
    directory: Directory, discovery: FakeDiscovery, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    answered(directory, discovery, "10.0.0.2")
    caplog.clear()
    for reason in ("first", "second", "third"):
        discovery.fail(reason)
        clock.seconds += 5
        directory.refresh()
    assert lines(caplog) == ["WARNING looking up peers fails: first; the peers known are kept for 60 s"]
    clock.seconds += 5
    for _ in range(2):
        answered(directory, discovery, "10.0.0.2")
    assert lines(caplog) == ["INFO looking up peers succeeds again, after 15 s"]
    discovery.fail()
    directory.refresh()
    assert len(lines(caplog)) == 1


def test_the_end_of_the_grace_time_is_logged_once(
    directory: Directory, discovery: FakeDiscovery, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    answered(directory, discovery, "10.0.0.2")
    discovery.fail()
    directory.refresh()
    caplog.clear()
    for _ in range(3):
        clock.seconds += 2 * GRACE
        directory.refresh()
    assert lines(caplog) == [
        "INFO peers: added none; removed 10.0.0.2:80 (no look-up has succeeded for 60 s); known: 0"
    ]


def test_a_node_that_never_found_a_peer_says_so_once(
    directory: Directory, discovery: FakeDiscovery, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    discovery.fail("no such name")
    for _ in range(3):
        clock.seconds += 2 * GRACE
        directory.refresh()
    assert lines(caplog) == ["WARNING looking up peers fails: no such name; no peer is known"]


def test_no_more_peers_are_taken_than_a_node_can_serve(
    directory: Directory, discovery: FakeDiscovery, caplog: pytest.LogCaptureFixture
) -> None:
    many = [f"10.0.1.{number}" for number in range(MAX_PEERS + 1)]
    for _ in range(2):
        found = answered(directory, discovery, *many)
    assert found == [f"{address}:80" for address in sorted(many)[:MAX_PEERS]]
    assert lines(caplog)[0] == f"WARNING {MAX_PEERS + 1} peers found, only the first {MAX_PEERS} are taken"
    assert lines(caplog) == []
    answered(directory, discovery, *many[1:])
    assert len(directory.peers()) == MAX_PEERS
    answered(directory, discovery, *many)
    assert [line for line in lines(caplog) if line.startswith("WARNING")] != []
    assert len(directory.lookups().hosts) == MAX_PEERS + 1


def test_listeners_are_told_of_every_change(directory: Directory, discovery: FakeDiscovery) -> None:
    told: list[tuple[tuple[Host, ...], tuple[Host, ...], tuple[Host, ...]]] = []
    directory.subscribe(lambda added, removed: told.append((added, removed, directory.peers())))
    two, three, four = (Host(f"10.0.0.{number}", 80) for number in (2, 3, 4))
    answered(directory, discovery, "10.0.0.3", "10.0.0.2")
    answered(directory, discovery, "10.0.0.3", "10.0.0.2")
    answered(directory, discovery, "10.0.0.4")
    assert told == [((two, three), (), (two, three)), ((four,), (two, three), (four,))]


def test_a_listener_that_raises_does_not_stop_the_others(
    directory: Directory, discovery: FakeDiscovery, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(added: tuple[Host, ...], removed: tuple[Host, ...]) -> None:
        raise RuntimeError("broken")

    told: list[tuple[Host, ...]] = []
    directory.subscribe(raises)
    directory.subscribe(lambda added, removed: told.append(added))
    answered(directory, discovery, "10.0.0.2")
    assert told == [(Host("10.0.0.2", 80),)]
    assert lines(caplog)[-1] == "ERROR a listener failed on a change of peers"
    assert directory.state() == (PartState.OK, "peers known: 1")


def test_operators_see_what_came_of_it(discovery: FakeDiscovery, clock: Clock) -> None:
    class Slow(FakeDiscovery):
        def hosts(self) -> Sequence[Host]:
            clock.seconds += 3
            return super().hosts()

    slow = Slow()
    directory = make(slow, clock)
    start = clock.seconds
    answered(directory, slow, "10.0.0.2:9", "10.0.0.1", "10.0.0.2")
    first = Lookups(
        successes=1,
        last_lookup=start,
        last_success=start,
        last_duration_seconds=1.5,
        hosts=(Host("10.0.0.1"), Host("10.0.0.2"), Host("10.0.0.2", 9)),
    )
    assert directory.lookups() == first
    slow.fail("no answer")
    directory.refresh()
    directory.refresh()
    lookups = directory.lookups()
    assert (lookups.successes, lookups.failures) == (1, 2)
    assert (lookups.last_lookup, lookups.last_success, lookups.failing_since) == (start + 6, start, start + 3)
    assert (lookups.last_error, lookups.hosts) == ("no answer", first.hosts)
    assert directory.state() == (
        PartState.DEGRADED,
        "failing since 2026-01-01T00:00:03.000Z: no answer; peers known: 2",
    )
    answered(directory, slow, "10.0.0.2")
    assert directory.lookups().failing_since is None
    assert directory.lookups().last_error == "no answer"
    assert directory.state() == (PartState.OK, "peers known: 1")


def test_a_second_look_up_returns_at_once_while_one_is_under_way(clock: Clock) -> None:
    asked, answer = Event(), Event()

    class Waiting:
        def hosts(self) -> Sequence[Host]:
            asked.set()
            assert answer.wait(SECONDS)
            return [Host("10.0.0.2")]

    directory = Directory(
        Waiting(), Own("10.0.0.1", 80), target_port=80, grace_seconds=GRACE, clock=clock, monotonic=clock
    )
    results: list[bool] = []
    thread = Thread(target=lambda: results.append(directory.refresh()))
    thread.start()
    try:
        assert asked.wait(SECONDS)
        assert directory.refresh() is False
        assert directory.peers() == ()
    finally:
        answer.set()
        thread.join(SECONDS)
    assert results == [True]
    assert directory.lookups().successes == 1
    assert directory.refresh() is True

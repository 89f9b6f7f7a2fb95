# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node knows again after its restart, and what it must not believe."""

from __future__ import annotations

from io import BytesIO

import pytest

from loadstats.ledger import Added
from replication.sender import Sender
from replication.snapshot.contents import FORMAT, FutureFormat, SnapshotEnd, SnapshotHead, SnapshotSlice, read, written
from replication.snapshot.frames import FrameReader, framed
from replication.snapshot.moment import Moment
from replication.snapshot.restoring import UnusableSnapshot
from tests.audit import audit
from tests.unit.replication.lives import REQUEST_SECONDS, Life, Machine, restore, restoring

OLD, NEW, NEXT = "10.0.0.1:8080@1", "10.0.0.77:9090@2", "10.0.0.1:8080@3"


@pytest.fixture
def machine() -> Machine:
    return Machine()


def busy(machine: Machine) -> Life:
    """A life with some of everything."""
    life = Life(machine)
    life.beat("g", 60, incarnation="first")
    for number in range(40):
        owned = {"owner": "g", "incarnation": "first"} if number % 3 else {}
        life.add(f"r{number}", f"10.0.0.{number % 4}:80", **owned)
        machine.time += 0.25
        if number % 2:
            life.first_token(f"r{number}")
        if number % 5 == 0:
            life.tokens(f"r{number}", number + 1)
        if number % 7 == 0:
            life.done(f"r{number}")
    life.ledger.add("again", "c", "10.0.0.3:80", 5, life.now(), machine.wall_ns(), attempt=3)
    life.done("overtook")  # an end before its add
    life.cache_calls.keep("c", "10.0.0.3", (1, 2, 3))
    life.cache_calls.keep("c", "10.0.0.4", (1, 2))
    life.cache_calls.forget("c", "10.0.0.4")
    return life


def incarnations(life: Life) -> dict[str, dict[str, int]]:
    return {name: seen for name, (_, seen) in life.ledger.replica.incarnations(life.now()).items()}


def caches(life: Life) -> set[tuple[str, int]]:
    copies = [copy for bucket in range(256) for copy in life.index.copies(bucket, life.now())]
    return {(copy.engine, block) for copy in copies for block in copy.hashes}


@pytest.mark.parametrize("captured", ["never", "before", "behind"])
def test_all_that_was_written_is_there_again(machine: Machine, captured: str) -> None:
    old = Life(machine)
    snapshot = old.capture() if captured == "before" else None
    life = busy(machine)
    if captured == "before":  # of an empty node: all is in the tail
        snapshot = Life(machine).capture()
    elif captured == "behind":
        snapshot = life.capture()
    tail = life.write(clean=True)
    new = Life(machine, NEW)
    restored = restore(new, snapshot, tail)
    assert restored.clean
    assert restored.origin == OLD
    assert restored.pause_seconds == 0.0
    assert new.copies() == life.copies()
    assert new.ledger.replica.digests() == life.ledger.replica.digests()
    assert new.ledger.replica.owners(new.now()) == life.ledger.replica.owners(new.now())
    assert incarnations(new) == incarnations(life) != {}
    assert caches(new) == caches(life) == {("10.0.0.3", 1), ("10.0.0.3", 2), ("10.0.0.3", 3)}
    audit(new.ledger)


def test_the_new_life_is_another_origin_that_knows_the_old_ones_watermark(machine: Machine) -> None:
    life = busy(machine)
    snapshot = life.capture()
    life.add("later")
    latest = life.journal.latest
    new = Life(machine, NEW)
    restore(new, snapshot, life.write())
    assert new.replica.vector() == {OLD: latest, NEW: 0}
    assert not new.replica.gaps
    assert new.replica.taken_events == 0


def test_what_a_former_life_saw_did_not_happen_in_this_one(machine: Machine) -> None:
    """Counters that begin with thousands would look like a burst to whoever scrapes them."""
    life = busy(machine)
    snapshot = life.capture()
    life.add("later")
    new = Life(machine, NEW)
    restore(new, snapshot, life.write())
    counts, old = new.ledger.counts(), life.ledger.counts()
    assert (counts.added, counts.first_tokens, counts.done, counts.retried, counts.repaired) == (0, 0, 0, 0, 0)
    assert (counts.in_flight, counts.engines, counts.owners) == (old.in_flight, old.engines, old.owners)
    assert counts.tombstones + counts.stubs == old.tombstones + old.stubs
    new.add("own")
    assert new.ledger.counts().added == 1


def test_a_life_that_begins_behind_a_gap_is_restored_with_its_watermark(machine: Machine) -> None:
    """Its first number is nobody's event: peers must see a gap, and its own next life none."""
    life = Life(machine)
    life.journal.begin_behind_gap()
    life.add("a")
    assert (life.journal.oldest, life.journal.latest) == (2, 2)
    push = Sender(life.journal, lambda: 0.0).poll(life.now())
    assert push is not None
    peer = Life(machine, NEXT)
    assert peer.replica.take(push, peer.now(), machine.wall_ns()).watermark == 0
    assert peer.replica.gaps == {"10.0.0.1:8080"}
    new = Life(machine, NEW)
    restore(new, None, life.write())
    assert life.tail.holes == 0
    assert new.replica.vector() == {OLD: 2, NEW: 0}
    assert not new.replica.gaps
    assert new.live() == {"a"}


def test_the_watermark_stays_before_what_was_not_written(machine: Machine) -> None:
    life = Life(machine)
    life.add("a")
    written_before = life.write()
    life.add("lost")
    new = Life(machine, NEW)
    restore(new, None, written_before)
    assert new.replica.vector()[OLD] == 1
    assert new.live() == {"a"}


@pytest.mark.no_cover
def test_the_journal_keeps_for_the_tail_what_peers_have(machine: Machine) -> None:
    """Peers may lose their memory together with this node."""
    life = Life(machine)
    for number in range(20_000):
        life.add(f"r{number}")
        life.done(f"r{number}")
    life.replica.trim([life.journal.latest] * 2)
    tail = life.write()
    assert life.tail.holes == 0
    new = Life(machine, NEW)
    restore(new, None, tail)
    assert new.replica.vector()[OLD] == 40_000
    assert not new.live()
    life.replica.trim([life.journal.latest] * 2)
    assert len(life.journal) < 20_000  # the spare is left


def test_a_tail_with_a_hole_counts_and_claims_nothing(machine: Machine) -> None:
    life = Life(machine, capacity=20_000)
    for number in range(30_000):
        life.add(f"r{number}")
    life.replica.trim(())  # the journal has no more room
    assert life.journal.oldest > 1
    tail = life.write()
    assert life.tail.holes == life.journal.oldest - 1
    new = Life(machine, NEW)
    restore(new, None, tail)
    assert new.replica.vector()[OLD] == 0
    assert len(new.live()) == 30_000 - life.tail.holes
    assert not new.replica.gaps


def test_lives_that_end_before_their_first_snapshot_are_restored_one_behind_the_other(machine: Machine) -> None:
    first = busy(machine)
    snapshot = first.capture()
    first.add("a")
    tails = [first.write()]
    second = Life(machine, NEW)
    restore(second, snapshot, *tails)
    second.begin_tail()
    second.done("a")
    second.add("b")
    tails.append(second.write())
    third = Life(machine, NEXT)
    restored = restore(third, snapshot, *tails)
    assert restored.origin == NEW
    assert third.live() == second.live()
    assert third.replica.vector() == {OLD: first.journal.latest, NEW: 2, NEXT: 0}
    audit(third.ledger)


def test_ages_count_the_pause(machine: Machine) -> None:
    life = Life(machine)
    life.add("old")
    machine.time += 300
    life.add("young")
    snapshot, tail = life.capture(), life.write()
    machine.time += 310
    new = Life(machine, NEW)
    restore(new, snapshot, tail)
    assert new.live() == {"old", "young"}
    new.work()
    assert new.live() == {"young"}
    machine.time += REQUEST_SECONDS - 315
    new.work()
    assert new.live() == {"young"}
    machine.time += 10
    new.work()
    assert new.live() == set()


def test_ages_count_the_pause_on_a_machine_that_has_just_started(machine: Machine) -> None:
    """Its monotonic clock is younger than the requests."""
    life = Life(machine)
    life.add("old")
    machine.time += 300
    life.add("young")
    tail = life.write()
    machine.time += 290
    machine.start_anew(uptime=3.0)
    new = Life(machine, NEW)
    restore(new, None, tail)
    new.work()
    assert new.live() == {"old", "young"}
    machine.time += 15
    new.work()
    assert new.live() == {"young"}
    audit(new.ledger)


def test_a_wall_clock_that_was_set_back_makes_nothing_younger_than_new(machine: Machine) -> None:
    life = Life(machine)
    life.add("a")
    snapshot, tail = life.capture(), life.write(clean=True)
    machine.start_anew()
    machine.time -= 1000
    machine.began -= 1000
    new = Life(machine, NEW)
    assert restore(new, snapshot, tail).pause_seconds == 0.0
    assert new.live() == {"a"}


def test_the_pause_does_not_count_against_heartbeats(machine: Machine) -> None:
    life = Life(machine)
    life.beat("g", 60)
    life.beat("silent", 5)
    life.add("owned", owner="g")
    life.add("lapsed", owner="silent")
    snapshot = life.capture()
    machine.time += 20
    life.write(clean=True)
    tail = life.tail_file.getvalue()
    machine.time += 400
    new = Life(machine, NEW)
    assert restore(new, snapshot, tail).pause_seconds == 400.0
    new.work()
    assert new.ledger.counts().orphans == 1  # the other's, whose grace begins now
    machine.time += 38
    new.work()
    assert new.live() == {"owned"}
    assert new.ledger.counts().orphans == 0
    machine.time += 4
    new.work()
    assert new.ledger.counts().orphans == 1
    machine.time += 31
    new.work()
    assert new.live() == set()


def protected(life: Life, machine: Machine, seconds: float) -> set[str]:
    """What lives on while its gateway sends heartbeats for so long."""
    for _ in range(int(seconds / 30)):
        machine.time += 30
        life.beat("g", 60)
        life.work()
    return life.live()


@pytest.mark.parametrize("clean", [False, True])
def test_after_an_end_without_a_stop_a_living_gateway_protects_for_a_while(machine: Machine, *, clean: bool) -> None:
    life = Life(machine)
    life.beat("g", 60)
    for name in ("silent", "token", "first", "refreshed", "again"):
        life.add(name, owner="g")
    life.first_token("token")
    snapshot, tail = life.capture(), life.write(clean=clean)
    new = Life(machine, NEW)
    assert restore(new, snapshot, tail).clean == clean
    everything = {"silent", "token", "first", "refreshed", "again"}
    assert protected(new, machine, REQUEST_SECONDS - 60) == everything
    new.tokens("token", 7)
    new.first_token("first")
    new.ledger.refresh("refreshed", new.now(), machine.wall_ns())
    new.add("again", owner="g")
    assert protected(new, machine, 120) == (everything if clean else everything - {"silent"})
    assert protected(new, machine, 2 * REQUEST_SECONDS) == (everything if clean else everything - {"silent"})


def test_crashes_in_a_row_protect_no_longer(machine: Machine) -> None:
    life = Life(machine)
    life.beat("g", 60)
    life.add("ghost", owner="g")
    files = life.capture(), life.write()
    seconds = 0
    for number in range(8):
        life = Life(machine, f"n@{number + 2}")
        restore(life, *files)
        if not protected(life, machine, 120):
            break
        seconds += 120
        files = life.capture(), life.write(clean=number % 2 == 1)
    assert REQUEST_SECONDS - 130 <= seconds <= REQUEST_SECONDS


def test_a_peer_that_has_lived_on_knows_what_is_under_way(machine: Machine) -> None:
    life = Life(machine)
    life.beat("g", 60)
    life.add("a", owner="g")
    new = Life(machine, NEW)
    restore(new, None, life.write())
    new.replica.trust()
    assert protected(new, machine, 2 * REQUEST_SECONDS) == {"a"}


def dotless(machine: Machine, *, alone: bool) -> Life:
    life = Life(machine, alone=alone)
    life.add("dotted")
    events = [Added(f"r{number}", "c", "10.0.0.1", 5) for number in range(20)]
    life.ledger.replica.apply(events, None, 0, life.now(), machine.wall_ns())
    return life


def dots(life: Life) -> dict[str, tuple[str, int]]:
    records = life.ledger.requests.records()
    return {each.request_id: (each.origin.name, each.seq) for each in records if each.origin is not None}


def test_what_has_no_dot_gets_one_and_the_same_at_each_restart(machine: Machine) -> None:
    life = dotless(machine, alone=True)
    files = life.capture(), life.write()
    lives = []
    for origin in (NEW, NEXT):
        lives.append(new := Life(machine, origin))
        assert restore(new, *files).dots == 20
        assert new.replica.vector() == {OLD: 1, f"{OLD}+": 20, origin: 0}
        audit(new.ledger)
    first, second = map(dots, lives)
    assert first == second
    assert len(set(first.values())) == 21
    assert lives[0].ledger.replica.digests() == lives[1].ledger.replica.digests()


def test_what_peers_may_have_under_another_dot_gets_none(machine: Machine) -> None:
    life = dotless(machine, alone=False)
    new = Life(machine, NEW, alone=False)
    assert restore(new, life.capture(), life.write()).dots == 0
    assert new.replica.vector() == {OLD: 1, NEW: 0}
    assert new.ledger.replica.digests() == life.ledger.replica.digests()


def test_a_torn_snapshot_is_no_snapshot(machine: Machine) -> None:
    life = busy(machine)
    snapshot, tail = life.capture(), life.write()
    for length in [0, 5, len(snapshot) // 2, len(snapshot) - 1]:
        new = Life(machine, NEW)
        with pytest.raises(UnusableSnapshot, match="torn"):
            restore(new, snapshot[:length], tail)
        assert new.live() == set()


def test_a_snapshot_without_one_of_its_slices_is_torn(machine: Machine) -> None:
    life = busy(machine)
    frames = [framed(body) for body in FrameReader(BytesIO(life.capture()))]
    with pytest.raises(UnusableSnapshot, match="torn"):
        restore(Life(machine, NEW), b"".join([frames[0], *frames[2:]]))


@pytest.mark.no_cover
def test_a_tail_that_is_torn_anywhere_counts_up_to_there(machine: Machine) -> None:
    life = Life(machine)
    sizes = []
    for number in range(6):
        life.add(f"r{number}")
        sizes.append(len(life.write()))
    tail = life.tail_file.getvalue()
    for length in range(sizes[0], len(tail)):
        new = Life(machine, NEW)
        restored = restore(new, None, tail[:length])
        assert not restored.clean
        assert len(new.live()) == restored.events == sum(size <= length for size in sizes)


def test_what_is_older_than_a_request_may_get_is_too_old(machine: Machine) -> None:
    life = busy(machine)
    snapshot, tail = life.capture(), life.write(clean=True)
    machine.time += REQUEST_SECONDS - 1
    restoring(Life(machine, NEW), snapshot, [tail]).survey()
    machine.time += 2
    with pytest.raises(UnusableSnapshot, match="too old"):
        restoring(Life(machine, NEW), snapshot, [tail]).survey()


def test_files_of_a_later_release_are_left_alone(machine: Machine) -> None:
    life = busy(machine)
    snapshot = life.capture()
    first = next(iter(FrameReader(BytesIO(snapshot))))
    head = read(first)
    assert isinstance(head, SnapshotHead)
    later = framed(written(SnapshotHead(FORMAT + 1, head.at, 1, True, head.summary)))
    with pytest.raises(FutureFormat):
        restore(Life(machine, NEW), later + snapshot[len(framed(first)) :], life.write())


def test_what_no_node_can_hold_is_said(machine: Machine) -> None:
    life = busy(machine)
    head = next(iter(FrameReader(BytesIO(life.capture()))))
    rest = [SnapshotSlice(0, "no such entity", 1, b"\x90"), SnapshotEnd(0, 1, 1)]
    with pytest.raises(UnusableSnapshot, match="wrong"):
        restore(Life(machine, NEW), b"".join([framed(head), *(framed(written(each)) for each in rest)]))


def test_nothing_readable_is_nothing(machine: Machine) -> None:
    with pytest.raises(UnusableSnapshot):
        restore(Life(machine, NEW), None, b"")


def test_a_sign_of_life_says_when_a_life_ended(machine: Machine) -> None:
    life = Life(machine)
    assert life.tail.take() == b""
    machine.time += 100
    life.write()
    machine.time += 7
    new = Life(machine, NEW)
    restored = restore(new, None, life.tail_file.getvalue())
    assert restored.pause_seconds == pytest.approx(7.0)
    assert restored.ended_ns == pytest.approx(machine.wall_ns() - 7e9)
    assert Moment("x", 0, restored.ended_ns).wall_ns < machine.wall_ns()

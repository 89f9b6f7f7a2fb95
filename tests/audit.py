# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger's books, balanced anew: every number and every list must follow from its records. For tests of any kind."""

from __future__ import annotations

from zlib import crc32

from msgspec import structs

from loadstats.ledger import BUCKETS, SIGNALS, Engine, Ledger, Phase
from loadstats.ledger.incarnations import MAX_SUPERSEDED
from loadstats.ledger.record import HELD, ORPHANED, Owner, Record, RecordExtras, fingerprint
from loadstats.ledger.sizes import request_size


def audit(ledger: Ledger) -> None:
    """Raise AssertionError where a number or a list is not what the records say."""
    records = list(ledger.requests.records())
    live = [record for record in records if record.engine is not None and record.phase is not Phase.DONE]
    _check_engines(ledger, live)
    _check_owners(ledger, live)
    digests = [0] * BUCKETS
    for record in live:
        crc = crc32(record.request_id.encode())
        digests[crc % BUCKETS] ^= fingerprint(record, crc)
    assert ledger.replica.digests() == digests
    stubs = [record for record in records if record.engine is None]
    counts = ledger.counts()
    assert (counts.in_flight, counts.stubs) == (len(live), len(stubs))
    assert counts.tombstones == len(records) - len(live) - len(stubs)
    assert ledger._records.size == sum(request_size(record.request_id) for record in records)
    assert counts.orphans == sum(record.extras is not None and record.extras.orphaned for record in live)
    assert counts.engines == sum(len(cluster.engines) for cluster in ledger._engines.clusters.values())
    due = {record.request_id: tick for tick, record in ledger._records._due}
    assert due == {record.request_id: record.due_tick for record in records}
    for record in records:
        assert record.phase is Phase.DONE or not record.cause
        if record.extras is not None:
            assert record.extras.record is record
            assert record.engine is not None or record.extras.owner is None
            if record.phase is Phase.DONE:
                assert record.extras.attempt > 1
                left = RecordExtras(record=record, attempt=record.extras.attempt)
                assert structs.astuple(record.extras) == structs.astuple(left)


def nothing_left(ledger: Ledger) -> None:
    """Raise AssertionError where anything is left of a history that is long over."""
    audit(ledger)
    assert list(ledger.requests.records()) == []
    assert ledger.clusters() == []
    assert ledger.replica.digests() == [0] * BUCKETS
    assert len(ledger._owners) == 0
    assert not ledger._owners._turning
    assert not ledger._owners._incarnations.unsettled
    assert not ledger._drops
    for queue in (ledger._records._due, ledger._engines.quiet, ledger._owners._lapses):
        assert list(queue) == []
    counts = ledger.counts()
    held = (counts.in_flight, counts.tombstones, counts.stubs, counts.engines, counts.owners, counts.orphans)
    assert held == (0, 0, 0, 0, 0, 0)


def _check_engines(ledger: Ledger, live: list[Record]) -> None:
    listed = [engine for cluster in ledger._engines.clusters.values() for engine in cluster.engines.values()]
    engines: dict[int, Engine] = {id(engine): engine for engine in listed}
    load = {key: dict.fromkeys(SIGNALS, 0) for key in engines}
    for record in live:
        engine = record.engine
        assert engine is not None
        engines[id(engine)] = engine  # one that was dropped still has its numbers
        sums = load.setdefault(id(engine), dict.fromkeys(SIGNALS, 0))
        for name, signal in SIGNALS.items():
            sums[name] += signal.of(record)
    for key, engine in engines.items():
        assert {name: getattr(engine, name) for name in SIGNALS} == load[key], engine.name


def _check_owners(ledger: Ledger, live: list[Record]) -> None:
    owners, turning = ledger._owners._owners, ledger._owners._turning
    assert ledger.counts().owners == len(owners)
    owned: dict[str, set[str]] = {name: set() for name in owners}
    for record in live:
        if record.extras is not None and (owner := record.extras.owner) is not None:
            assert owners[owner.name] is owner
            owned[owner.name].add(record.request_id)
    for name, owner in owners.items():
        _check_owner(owner, owned[name])
        present = [] if owner.present is None else list(owner.present.requests)
        settled = all(extras.orphaned == owner.lapsed for _, extras in [*owner.requests, *present])
        unsettled = owner.present is not None and (name, owner.present.name) in ledger._owners._incarnations.unsettled
        assert settled or name in turning or unsettled
        _check_incarnations(ledger, owner)
    assert all(owners[name] is owner for name, owner in turning.items())
    for tick, owner in ledger._owners._lapses:
        assert owners[owner.name] is owner
        assert tick == owner.due_tick if owner.alive else tick > owner.due_tick


def _check_owner(owner: Owner, owned: set[str]) -> None:
    members: list[tuple[int, RecordExtras]] = list(owner.requests)
    assert all(extras.incarnation is None for _, extras in members)
    for incarnation in owner.incarnations.values():
        some = list(incarnation.requests)
        assert incarnation.requests_num == len(some)
        assert all(extras.incarnation is incarnation for _, extras in some)
        members += some
    assert {extras.record.request_id for _, extras in members if extras.record is not None} == owned
    assert owner.requests_num == len(members) == len(owned)
    assert owner.requests_num or owner.next is not None, "it has no request and no heartbeat"
    assert not owner.alive or (owner.beat_ms and owner.next is not None)
    for place, extras in members:
        assert extras.owner is owner
        assert place == (ORPHANED if extras.orphaned else HELD)
        assert owner.beat_ms or not extras.orphaned or extras.incarnation is not None


def _check_incarnations(ledger: Ledger, owner: Owner) -> None:
    """One stands, the one with the largest rank. What the others left is orphaned, or about to be."""
    known = owner.incarnations
    assert (owner.present is None) == (not known)
    if owner.present is None:
        return
    assert owner.present is max(known.values(), key=lambda each: each.rank)
    with_requests = 0
    for name, each in known.items():
        assert (each.name, each.owner) == (name, owner)
        assert each.superseded == (each is not owner.present)
        with_requests += each.requests_num > 0
        if each.superseded and (owner.name, name) not in ledger._owners._incarnations.unsettled:
            assert all(extras.orphaned for _, extras in each.requests)
    assert len(known) <= MAX_SUPERSEDED + 1 + with_requests

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger's books, balanced anew: every number and every list must follow from its records. For tests of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, cast
from zlib import crc32

from loadstats.ledger import BUCKETS, Engine, Ledger, Phase
from loadstats.ledger.expiry_queue import ExpiryQueue, Link
from loadstats.ledger.record import HELD, ORPHANED, More, Owner, Record, fingerprint

LinkT = TypeVar("LinkT", bound=Link)


def audit(ledger: Ledger) -> None:
    """Raise AssertionError where a number or a list is not what the records say."""
    records = list(ledger.records())
    live = [record for record in records if record.engine is not None and record.phase is not Phase.DONE]
    _check_engines(ledger, live)
    _check_owners(ledger, live)
    digests = [0] * BUCKETS
    for record in live:
        crc = crc32(record.request_id.encode())
        digests[crc % BUCKETS] ^= fingerprint(record, crc)
    assert ledger._digests == digests
    stubs = [record for record in records if record.engine is None]
    counts = ledger.counts()
    assert (counts.in_flight, counts.stubs) == (len(live), len(stubs))
    assert counts.tombstones == len(records) - len(live) - len(stubs)
    assert ledger._records == len(records)
    assert counts.orphans == sum(record.extras is not None and record.extras.orphaned for record in live)
    assert counts.engines == sum(len(cluster.engines) for cluster in ledger._clusters.values())
    due = {record.request_id: tick for tick, record in _linked(ledger._due)}
    assert due == {record.request_id: record.due_tick for record in records}
    for record in records:
        if record.extras is not None:
            assert record.extras.record is record
            assert record.phase is not Phase.DONE
            assert record.engine is not None or record.extras.owner is None


def nothing_left(ledger: Ledger) -> None:
    """Raise AssertionError where anything is left of a history that is long over."""
    audit(ledger)
    assert list(ledger.records()) == []
    assert ledger.clusters() == []
    assert ledger._digests == [0] * BUCKETS
    assert not ledger._owners
    assert not ledger._turning
    assert not ledger._dropped
    for wheel in (ledger._due, ledger._quiet, ledger._lapses):
        assert list(_linked(wheel)) == []
    counts = ledger.counts()
    held = (counts.in_flight, counts.tombstones, counts.stubs, counts.engines, counts.owners, counts.orphans)
    assert held == (0, 0, 0, 0, 0, 0)


def _check_engines(ledger: Ledger, live: list[Record]) -> None:
    listed = [engine for cluster in ledger._clusters.values() for engine in cluster.engines.values()]
    engines: dict[int, Engine] = {id(engine): engine for engine in listed}
    load = {key: [0, 0, 0, 0, 0] for key in engines}
    for record in live:
        engine = record.engine
        assert engine is not None
        more = record.extras
        engines[id(engine)] = engine  # one that was dropped still has its numbers
        sums = load.setdefault(id(engine), [0, 0, 0, 0, 0])
        prefill = record.phase is Phase.PREFILL
        tokens = 0 if more is None else more.input_tokens + more.output_tokens
        orphaned = more is not None and more.orphaned
        for place, value in enumerate((1, record.prompt_length * prefill, prefill, tokens, orphaned)):
            sums[place] += value
    for key, engine in engines.items():
        found = [engine.queued_req_num, engine.prompt_length, engine.prefill_req_num]
        assert [*found, engine.token_num, engine.orphaned_req_num] == load[key], engine.ip


def _check_owners(ledger: Ledger, live: list[Record]) -> None:
    assert ledger.counts().owners == len(ledger._owners)
    owned: dict[str, set[str]] = {name: set() for name in ledger._owners}
    for record in live:
        if record.extras is not None and (owner := record.extras.owner) is not None:
            assert ledger._owners[owner.name] is owner
            owned[owner.name].add(record.request_id)
    for name, owner in ledger._owners.items():
        _check_owner(owner, owned[name])
        settled = all(more.orphaned != owner.alive for _, more in _linked(owner.requests)) or not owner.beat_ms
        assert settled or name in ledger._turning
    assert all(ledger._owners[name] is owner for name, owner in ledger._turning.items())
    for tick, owner in _linked(ledger._lapses):
        assert ledger._owners[owner.name] is owner
        assert tick == owner.due_tick if owner.alive else tick > owner.due_tick


def _check_owner(owner: Owner, owned: set[str]) -> None:
    members: list[tuple[int, More]] = list(_linked(owner.requests))
    assert {more.record.request_id for _, more in members if more.record is not None} == owned
    assert owner.requests_num == len(members) == len(owned)
    assert owner.requests_num or owner.next is not None, "nobody needs it any more"
    assert not owner.alive or (owner.beat_ms and owner.next is not None)
    for place, more in members:
        assert more.owner is owner
        assert place == (ORPHANED if more.orphaned else HELD)
        assert owner.beat_ms or not more.orphaned


def _linked(wheel: ExpiryQueue[LinkT]) -> Iterator[tuple[int, LinkT]]:
    """Everything in a wheel, and when it is due."""
    for tick, head in wheel._heads.items():
        link = head.next
        while link is not head:
            assert link is not None
            yield tick, cast("LinkT", link)
            link = link.next

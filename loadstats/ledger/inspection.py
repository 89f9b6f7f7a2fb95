# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as people look into it: one request by its id, and all of them page by page.

Any thread, under the ledger's lock for at most `SLICE` records at a time, and only to read. A request that is there
from a walk's first page to its last is met exactly once: pages go by bucket, and in a bucket by request id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from msgspec import Struct

from loadstats.ledger.record import Phase, Record
from loadstats.ledger.state import BUCKETS, SLICE

if TYPE_CHECKING:
    from loadstats.ledger.book import Book

EARLY = "early"
"""The phase of a stub: a first token or an end came, and the add that it overtook has not."""

NAMES = {phase: phase.name.lower() for phase in Phase}
IN_FLIGHT = frozenset({"prefill", "decode"})


class Sighting(Struct, frozen=True, gc=False):
    """A request as it was when it was looked at.

    `phase` is prefill, decode, done or early. A request that is `early` has neither cluster nor engine. `age_seconds`
    is since its add (or since the early call) by this node's clock, `remaining_seconds` until it is ended for its age,
    or forgotten where it is over. `origin` is the node that took its add, as `node@epoch`, and `seq` which of its
    events that was; empty and 0 where no node told. `owner` is the gateway that answers for it while it is under way,
    `orphaned` whether that has fallen silent; the tokens are those that it holds on its engine.
    """

    request_id: str
    cluster: str
    ip: str
    phase: str
    age_seconds: int
    remaining_seconds: int
    prompt_length: int
    origin: str
    seq: int
    owner: str = ""
    orphaned: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


class Filter(Struct, frozen=True):
    """Which requests to show. What is empty lets all pass; `phases` are named as in `Sighting`."""

    cluster: str = ""
    ip: str = ""
    phases: frozenset[str] = frozenset()
    least_age_seconds: int = 0


class Cursor(Struct, frozen=True):
    """Where a walk goes on: after `request_id` in `bucket`."""

    bucket: int = 0
    request_id: str = ""


class Page(Struct, frozen=True):
    """Some of the requests that pass a filter. `looked` records were looked at for it.

    `next` is None at the end; else there may be more, even where this page is not full.
    """

    sightings: tuple[Sighting, ...]
    next: Cursor | None
    looked: int


class Inspection:
    """Reads one ledger."""

    def __init__(self, ledger: Book) -> None:
        self._ledger = ledger

    def look(self, request_id: str, now: float) -> Sighting | None:
        """One request; None where it is unknown here."""
        ledger = self._ledger
        with ledger._lock:
            record = ledger._buckets[crc32(request_id.encode()) % BUCKETS].get(request_id)
            return None if record is None else _seen(record, ledger._at(now))

    def page(
        self,
        filter_: Filter,
        cursor: Cursor,
        now: float,
        *,
        most: int,
        most_looked: int,
        pause: Callable[[], object] = lambda: None,
    ) -> Page:
        """The next requests that pass, at most `most`, from the first whole buckets that hold `most_looked` records.

        `pause` is called between two holds of the lock.
        """
        found: list[Sighting] = []
        looked = 0
        after = cursor.request_id
        for bucket in range(cursor.bucket, BUCKETS):
            passed: list[Sighting] = []
            for part in self._slices(bucket):
                passed += self._passing(part, filter_, after, now)
                looked += len(part)
                pause()
            passed.sort(key=_request_id)
            room = most - len(found)
            found += passed[:room]
            if len(passed) > room or (len(passed) == room and room > 0):
                return Page(tuple(found), Cursor(bucket, found[-1].request_id), looked)
            after = ""
            if looked >= most_looked and bucket + 1 < BUCKETS:
                return Page(tuple(found), Cursor(bucket + 1), looked)
        return Page(tuple(found), None, looked)

    def _slices(self, bucket: int) -> Iterator[list[Record]]:
        """A bucket's records of one moment, a slice at a time."""
        records = self._ledger._buckets[bucket]
        with self._ledger._lock:
            all_ = list(records.values())  # pointers: 4 µs for the 1,000 of a ledger of a million
        for start in range(0, len(all_), SLICE):
            yield all_[start : start + SLICE]

    def _passing(self, records: list[Record], filter_: Filter, after: str, now: float) -> list[Sighting]:
        cluster, ip, phases = filter_.cluster, filter_.ip, filter_.phases
        # A tuple: the hash of an enum's member is a call of Python's.
        wanted = tuple(phase for phase, name in NAMES.items() if name in phases or not phases)
        early = not phases or EARLY in phases
        with self._ledger._lock:
            tick = self._ledger._at(now)
            latest = tick - filter_.least_age_seconds
            passed = []
            for record in records:
                engine = record.engine
                if record.since_tick > latest or record.request_id <= after or record.next is None:
                    continue  # without `next` it was forgotten since the slice was cut
                if engine is None:
                    if not early or cluster or ip:
                        continue
                elif (
                    record.phase not in wanted
                    or (ip and engine.ip != ip)
                    or (cluster and (engine.cluster is None or engine.cluster.name != cluster))
                ):
                    continue
                passed.append(_seen(record, tick))
            return passed


def _seen(record: Record, tick: int) -> Sighting:
    engine, origin, more = record.engine, record.origin, record.more
    home = None if engine is None else engine.cluster
    return Sighting(
        record.request_id,
        "" if home is None else home.name,
        "" if engine is None else engine.ip,
        EARLY if engine is None else NAMES[record.phase],
        max(0, tick - record.since_tick),
        max(0, record.due_tick - tick),
        record.prompt_length,
        "" if origin is None else origin.name,
        record.seq,
        "" if more is None or more.owner is None else more.owner.name,
        more is not None and more.orphaned,
        0 if more is None else more.input_tokens,
        0 if more is None else more.output_tokens,
    )


def _request_id(sighting: Sighting) -> str:
    return sighting.request_id

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a ledger goes on that was restored from what a former life of its node wrote.

Any thread. It takes the ledger's lock for a bucket at a time, and for all gateways at once: it is used before the node
serves. Times are as in `Ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import AbstractContextManager
from zlib import crc32

from loadstats.ledger.clock import TickClock
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.expiry import Expiry
from loadstats.ledger.limits import LedgerLimits
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import Origin
from loadstats.ledger.records import Records


class Resuming:
    """What a restored ledger does otherwise than one that has lived on."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        clock: TickClock,
        limits: LedgerLimits,
        records: Records,
        owners: Owners,
        expiry: Expiry,
        counts: LedgerCounts,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._limits = limits
        self._records = records
        self._owners = owners
        self._expiry = expiry
        self._counts = counts

    def begin_counting(self) -> None:
        """Count events from now on: those that were restored are a former life's."""
        with self._lock:
            self._counts.clear_events()

    def excuse(self, pause_seconds: float, now: float) -> None:
        """Leave a pause out of account for heartbeats: what held when it began holds as long from now on."""
        with self._lock:
            self._owners.excuse(int(pause_seconds), self._clock.at(now))

    def doubt(self, known: Mapping[str, int], now: float, *, everything: bool, but: Set[str] = frozenset()) -> None:
        """Let a living gateway protect requests only for a while, unless they are reported about again.

        Their ends may be lost: they must not be protected for ever. `known` are those that were in doubt before, and
        for how many seconds they are still protected. `everything`: all others are in doubt too, for `RequestExpire`,
        but for those that were reported to one of the origins in `but`.
        """
        if not (known or everything):
            return
        self._expiry.doubting = True
        for bucket in self._records.buckets:
            with self._lock:
                tick = self._clock.at(now)
                for request_id, record in bucket.items():
                    if (extras := record.extras) is None or extras.owner is None or record.phase is DONE:
                        continue
                    seconds = known.get(request_id)
                    if seconds is not None:
                        extras.doubted_until = tick + max(0, min(seconds, self._limits.request_ticks))
                    elif everything and (record.origin is None or record.origin.name not in but):
                        extras.doubted_until = tick + self._limits.request_ticks

    def doubted(self, bucket: int, now: float) -> dict[str, int]:
        """Return which requests of a bucket are in doubt, and for how many seconds they are still protected."""
        if not self._expiry.doubting:
            return {}
        with self._lock:
            tick = self._clock.at(now)
            return {
                request_id: max(0, record.extras.doubted_until - tick)
                for request_id, record in self._records.buckets[bucket].items()
                if record.extras is not None and record.extras.doubted_until is not None
            }

    def trust(self) -> None:
        """Doubt nothing any longer: a node that has lived on knows which requests are under way."""
        self._expiry.doubting = False

    def number(self, origin: Origin) -> int:
        """Give each live record without a dot one of an origin, numbered from 1 in the order of the buckets.

        Returns how many those are.
        """
        seq = 0
        for bucket in self._records.buckets:
            with self._lock:
                for request_id, record in bucket.items():
                    if record.origin is None and record.engine is not None and record.phase is not DONE:
                        seq += 1
                        self._records.number(crc32(request_id.encode()), record, origin, seq)
        return seq

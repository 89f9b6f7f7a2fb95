# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger tells: answers kept encoded, rows, records, counts.

Any thread, under the lock for a slice at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from zlib import crc32

from loadstats.ledger.cluster import Row
from loadstats.ledger.record import Record
from loadstats.ledger.state import BUCKETS, SLICE, Counts, State


class Answers(State):
    """A state that can be asked."""

    def answer(self, cluster: str) -> bytes:
        """The cluster's rows as a JSON array; `null` for a cluster without engines."""
        with self._lock:
            found = self._clusters.get(cluster)
            return b"null" if found is None else found.answer()

    def tagged_answer(self, cluster: str) -> tuple[bytes, bytes]:
        """The answer and its tag. No other answer for the cluster has the same, here or where `life` is another."""
        with self._lock:
            found = self._clusters.get(cluster)
            if found is None:
                return b"null", self.life + b"-0"
            return found.answer(), found.answer_tag

    def tag(self, cluster: str) -> bytes:
        """The tag of the answer that would be given now; empty where that has yet to be made, and so is another."""
        with self._lock:
            found = self._clusters.get(cluster)
            if found is None:
                return self.life + b"-0"
            return found.answer_tag if found.answer_bytes else b""

    def clusters(self) -> list[str]:
        """Names of the clusters that have engines."""
        return list(self._clusters)

    def rows(self, cluster: str) -> list[Row]:
        """The cluster's rows, read in slices: each slice is of one moment, the whole is not."""
        rows: dict[str, Row] = {}  # by name: engines move to another place while this reads
        for start in count(0, SLICE):
            with self._lock:
                found = self._clusters.get(cluster)
                part = [] if found is None else [(each.ip, each.row()) for each in found.order[start : start + SLICE]]
            if not part:
                break
            rows.update(part)
        return list(rows.values())

    def find(self, request_id: str) -> Record | None:
        """The record of a request, to be read and not to be changed."""
        return self._buckets[crc32(request_id.encode()) % BUCKETS].get(request_id)

    def records(self) -> Iterator[Record]:
        """All records, a bucket at a time: each bucket is of one moment, the whole is not."""
        for bucket in self._buckets:
            with self._lock:
                part = list(bucket.values())
            yield from part

    def counts(self) -> Counts:
        """The numbers of this moment."""
        with self._lock:
            return replace(self._counts)

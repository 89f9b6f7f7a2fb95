# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""All clusters in a row each, for `/ws/load/`. Pure; used by one event loop.

A look costs what changed: a cluster whose revision is the same is not read. It is also bounded: where more engines
changed than `MOST` it goes on in the next look, so that 100,000 engines are a matter of half a second and not of one
long stall.
"""

from __future__ import annotations

from collections.abc import Generator
from json import dumps

from msgspec import Struct

from loadstats.ledger import CONTRACT, OURS, ClusterSnapshot, Ledger, SignalSums
from loadstats.live.view import PART, Steps

LISTED = 1000  # clusters, first by name: more are nothing to look at, and 200 bytes each in every snapshot
MOST = 20_000  # engines added up in one look: 2 ms in all


class SummaryRow(Struct):
    seen: ClusterSnapshot
    row: bytes


class SummaryView:
    """`node` is the name of this node."""

    def __init__(self, ledger: Ledger, node: str) -> None:
        self._ledger = ledger
        self._node = b'"node":%b' % dumps(node).encode()
        self._names: list[str] = []
        self._listed: list[str] = []  # those to tell of, by name
        self._sent: dict[str, SummaryRow] = {}
        self._place = 0  # in `_listed`, where the next look begins
        self._looked = False

    def look(self) -> Steps[bytes | None]:
        """Clusters whose numbers changed and those that went."""
        names = self._ledger.clusters()
        if names != self._names:
            self._names, self._listed, self._place = names, sorted(names)[:LISTED], 0
        listed = set(self._listed)
        gone = [name for name in self._sent if name not in listed]
        changed: list[bytes] = []
        sent: dict[str, SummaryRow] = {}
        most = MOST if self._looked else float("inf")  # the first look is for the snapshot and must be whole
        left = len(self._listed)
        work = since = 0
        while left and work < most:
            name = self._listed[self._place]
            self._place = (self._place + 1) % len(self._listed)
            left -= 1
            before = self._sent.get(name)
            seen = yield from self._ledger.cluster_snapshot(
                name, before.seen if before is not None else None, encoded=False
            )
            since += 16  # a look at a cluster costs as much as adding up 16 engines
            if seen is None:
                if before is not None:
                    gone.append(name)
                continue
            if before is None or seen is not before.seen:
                row = yield from _row(name, seen)
                work += len(seen.order)
                since += len(seen.order)
                if before is None or row != before.row:
                    changed.append(row)
                sent[name] = SummaryRow(seen, row)
            if since > PART:
                since = 0
                yield
        for name in gone:
            del self._sent[name]
        self._sent.update(sent)
        if not self._looked or not (changed or gone):
            self._looked = True
            return None
        return b'"clusters":[%b],"gone":[%b]' % (b",".join(changed), b",".join(dumps(name).encode() for name in gone))

    def snapshot(self) -> bytes:
        """All clusters that are listed, by name, and how many are not."""
        rows = [self._sent[name].row for name in sorted(self._sent)]
        omitted = max(len(self._names) - LISTED, 0)
        return b'%b,"clusters":[%b],"omitted":%d' % (self._node, b",".join(rows), omitted)

    def alive(self) -> bytes:
        """Nothing more."""
        return b""


def _row(name: str, seen: ClusterSnapshot) -> Generator[None, None, bytes]:
    """Return the cluster's sums as JSON. Each engine is of one moment, the whole is not.

    A signal of the contract comes with the largest of an engine, another one only where it is not 0.
    """
    sums = SignalSums()
    engines = seen.order
    for start in range(0, len(engines), PART):
        if start:
            yield
        sums.add(engines[start : start + PART])
    total, most = sums.named(), sums.largest()
    members = [
        b'"cluster":%b,"engines":%d' % (dumps(name).encode(), len(engines)),
        *(b'"%b":%d' % (signal.encode(), total[signal]) for signal in CONTRACT),
        *(b'"max_%b":%d' % (signal.encode(), most[signal]) for signal in CONTRACT),
        b'"added_total":%d' % seen.added_total,
        *(b'"%b":%d' % (signal.encode(), total[signal]) for signal in OURS if total[signal]),
    ]
    return b"{%b}" % b",".join(members)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""All clusters, one row each, for `/ws/load/`. Pure; used by one event loop.

A look costs what changed: a cluster of the same revision is not read. It is also bounded: after `MOST` changed engines
the rest waits for the next look. So 100,000 engines take half a second in small steps and stall nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from json import dumps
from operator import attrgetter

from msgspec import Struct

from loadstats.ledger import CONTRACT, OURS, ClusterSnapshot, Engine, Ledger, SignalSums
from loadstats.live.view import PART, Steps

LISTED = 1000  # clusters, the first by name; each takes 200 bytes of every snapshot
MOST = 20_000  # engines added up in one look: 2 ms in all

_load = attrgetter("queued_req_num", "prompt_length")


class SummaryRow(Struct):
    """A cluster's row as it was sent, and what it was made of."""

    seen: ClusterSnapshot
    row: bytes


class SummaryView:
    """The rows of all clusters. `node` is this node's name."""

    def __init__(self, ledger: Ledger, node: str) -> None:
        self._ledger = ledger
        self._node = b'"node":%b' % dumps(node).encode()
        self._names: list[str] = []
        self._listed: list[str] = []  # the clusters that are shown, by name
        self._sent: dict[str, SummaryRow] = {}
        self._place = 0  # in `_listed`, where the next look begins
        self._looked = False

    def look(self) -> Steps[bytes | None]:
        """Read what changed. Returns the changed and the gone clusters as JSON members; None if there are none."""
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
            seen = yield from self._ledger.loads.cluster_snapshot(
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
        """Return all listed clusters by name, and how many are not listed, as JSON members."""
        rows = [self._sent[name].row for name in sorted(self._sent)]
        omitted = max(len(self._names) - LISTED, 0)
        return b'%b,"clusters":[%b],"omitted":%d' % (self._node, b",".join(rows), omitted)

    def alive(self) -> bytes:
        """Return the members of a sign of life: there are none."""
        return b""


def _row(name: str, seen: ClusterSnapshot) -> Generator[None, None, bytes]:
    """Return the cluster's sums as JSON. Each engine's numbers are of one moment; engines may be of different ones.

    A signal of the contract comes with its largest value of one engine. Others come if their sum is not 0. The name of
    the engine with most requests comes if it has any; of several, the one with the longest prompts in prefill.
    """
    sums = SignalSums()
    engines = seen.order
    hottest: Engine | None = None
    for start in range(0, len(engines), PART):
        if start:
            yield
        portion = engines[start : start + PART]
        sums.add(portion)
        first = max(portion, key=_load)
        if hottest is None or _load(first) > _load(hottest):
            hottest = first
    total, most = sums.named(), sums.largest()
    members = [
        b'"cluster":%b,"engines":%d' % (dumps(name).encode(), len(engines)),
        *(b'"%b":%d' % (signal.encode(), total[signal]) for signal in CONTRACT),
        *(b'"max_%b":%d' % (signal.encode(), most[signal]) for signal in CONTRACT),
        b'"added_total":%d' % seen.added_total,
        *(b'"%b":%d' % (signal.encode(), total[signal]) for signal in OURS if total[signal]),
        *([b'"hottest":%b' % dumps(hottest.name).encode()] if hottest is not None and hottest.queued_req_num else []),
    ]
    return b"{%b}" % b",".join(members)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's engines, their numbers, and the answer to `GET /v1/load/stats` kept encoded.

Owned by the ledger and used under its lock. An engine's numbers are sums over its records and change only with them.
A query encodes the engines that changed since the last one and joins; the others' bytes are kept.
"""

from __future__ import annotations

from edge.engine_name import EngineName
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.client import LedgerClient
from loadstats.ledger.failures import Failures, after_end
from loadstats.ledger.row import ROW_FORMAT, Row, encoded_members, row_of, row_prefix, row_suffix
from loadstats.ledger.signals import Load


class Engine(Load, gc=False, eq=False):
    """One inference server of a cluster. Its numbers are those of `Load`.

    `name`: its `EngineName` as text.
    `cluster`: where it is listed; None once it is closed.
    `index`: its place in the cluster.
    `updated_ns`: when a call last changed it, in wall-clock nanoseconds.
    `used_tick`: when a client last moved one of its requests.
    `stale`: its bytes in the cluster are out of date.
    `parts`: its name in parts.
    `prefix`, `suffix`: its row's bytes before and behind the numbers.
    `client`: the client that was the first to name it; None where a peer was.
    `opened_tick`: when it was listed.
    `failures`: how it failed since it last did well; None where it did not.
    """

    name: str = ""
    cluster: Cluster | None = None
    index: int = 0
    updated_ns: int = 0
    used_tick: int = 0
    stale: bool = True
    parts: EngineName = EngineName("")
    prefix: bytes = b""
    suffix: bytes = b""
    client: LedgerClient | None = None
    opened_tick: int = 0
    failures: Failures | None = None

    def ended(self, cause: int, since_tick: int, tick: int, *, answered: bool) -> None:
        """Take note of how a request ended that was sent here. See `after_end`."""
        failures = after_end(self.failures, cause, since_tick, tick, answered=answered)
        if failures is not self.failures:
            self.failures = failures
            if self.cluster is not None:
                self.cluster.note_failures(self)

    def changed(self, wall_ns: int, used_tick: int | None = None) -> None:
        """Mark the row as changed at a time, at `used_tick` by a client if that is not None."""
        self.updated_ns = wall_ns
        if used_tick is not None:
            self.used_tick = used_tick
        cluster = self.cluster
        if cluster is None:
            return  # a tombstone of an engine that is closed
        cluster.answer_bytes = b""
        if not self.stale:
            self.stale = True
            cluster.stale.append(self)

    def row(self) -> Row:
        """Return the numbers as they are now."""
        return row_of(self.parts, self, self.updated_ns)

    def encode(self) -> bytes:
        """Return the row as JSON."""
        return ROW_FORMAT % encoded_members(self)


class Cluster:
    """A named group of engines.

    `name`: the cluster's name.
    `tag`: what its answers' tags begin with; another one each time that the ledger opens a cluster of this name.
    `engines`: its engines by name.
    `order`: the same in a list; `order[engine.index] is engine`.
    `encoded`: their rows as bytes, at the same places. An engine's bytes are a new object whenever it changed.
    `stale`: the engines to encode at the next query; it may hold closed ones.
    `answer_bytes`, `answer_tag`: the kept answer; the bytes are empty when it must be joined again.
    `added_total`: requests added since the cluster was opened.
    `closings`: engines closed so far.
    `revision`: changes with every change of an engine's bytes, and when an engine is closed.
    `numbers`: the numbers for choices, from the first choice on.
    `whole_view`: all engines as a choice sees them; may be out of date.
    `failing`: the engines that failed since they last did well, by name.
    """

    __slots__ = (
        "added_total",
        "answer_bytes",
        "answer_tag",
        "closings",
        "encoded",
        "engines",
        "failing",
        "name",
        "numbers",
        "order",
        "revision",
        "stale",
        "tag",
        "whole_view",
    )

    def __init__(self, name: str, tag: bytes) -> None:
        self.name = name
        self.tag = tag
        self.engines: dict[str, Engine] = {}
        self.order: list[Engine] = []
        self.encoded: list[bytes] = []
        self.stale: list[Engine] = []
        self.answer_bytes = b""
        self.answer_tag = b""
        self.added_total = 0
        self.closings = 0
        self.revision = 0
        self.numbers: CandidateNumbers | None = None
        self.whole_view: CandidateView | None = None
        self.failing: dict[str, Engine] = {}

    def note_failures(self, engine: Engine) -> None:
        """Keep which engines failed since they last did well."""
        if engine.failures is None:
            self.failing.pop(engine.name, None)
        else:
            self.failing[engine.name] = engine

    def open(self, name: str) -> Engine:
        """Return a new idle engine, listed from now on."""
        parts = EngineName.of(name)
        engine = Engine(
            name=name,
            cluster=self,
            index=len(self.order),
            parts=parts,
            prefix=row_prefix(parts),
            suffix=row_suffix(parts),
        )
        self.engines[name] = engine
        self.order.append(engine)
        self.encoded.append(b"")
        if self.numbers is not None:
            self.numbers.open(parts.ip, 0, 0)
        self.stale.append(engine)
        self.answer_bytes = b""
        return engine

    def close(self, engine: Engine) -> None:
        """Forget an engine. The last one takes its place, so this costs the same in a cluster of any size."""
        last, last_bytes = self.order.pop(), self.encoded.pop()
        if last is not engine:
            last.index = engine.index
            self.order[last.index] = last
            self.encoded[last.index] = last_bytes
        if self.numbers is not None:
            self.numbers.close(engine.index)
        del self.engines[engine.name]
        self.failing.pop(engine.name, None)
        engine.cluster = None
        self.answer_bytes = b""
        self.closings += 1
        self.revision += 1

    def answer(self) -> bytes:
        """Return the contract's `data`: a JSON array of rows."""
        if not self.answer_bytes:
            self.refresh(len(self.stale))
            self.answer_bytes = b"[%b]" % b",".join(self.encoded)
            self.answer_tag = b"%b%x" % (self.tag, self.revision)
        return self.answer_bytes

    def candidate_numbers(self) -> CandidateNumbers:
        """Return the engines' numbers for a choice. Makes them at the first call; `refresh` keeps them up to date."""
        if self.numbers is None:
            engines = self.engines
            self.numbers = CandidateNumbers(lambda: reversed(engines.values()), self.failing)
            for engine in self.order:
                self.numbers.open(engine.parts.ip, engine.queued_req_num, engine.prompt_length, engine.prefill_req_num)
        return self.numbers

    def refresh(self, most: int) -> bool:
        """Encode at most `most` of the engines that changed. Returns whether `encoded` is up to date."""
        stale = self.stale
        if stale:
            encoded, numbers = self.encoded, self.numbers
            for engine in stale[-most:]:
                engine.stale = False
                if engine.cluster is self:
                    encoded[engine.index] = engine.encode()
                    if numbers is not None:
                        numbers.update(
                            engine.index, engine.queued_req_num, engine.prompt_length, engine.prefill_req_num
                        )
            del stale[-most:]
            self.revision += 1
        return not stale

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's engines, their numbers, and the answer to `GET /v1/load/stats` kept encoded.

Owned by the ledger and used under its lock. An engine's numbers are sums over its records and change only with them.
A query encodes the engines that changed since the last one and joins; the others' bytes are kept.
"""

from __future__ import annotations

from json import dumps

from msgspec import Struct

from loadstats.ledger.wheel import Link


class Row(Struct, frozen=True, gc=False):
    """One engine's load, as `GET /v1/load/stats` shows it. `updated_time` is wall-clock time in ns."""

    ip: str
    queued_req_num: int
    prompt_length: int
    updated_time: int


class Engine(Link, gc=False):
    """One inference server of a cluster. `used_tick` is when a client last moved one of its requests."""

    ip: str = ""
    cluster: Cluster | None = None
    index: int = 0
    queued_req_num: int = 0
    prompt_length: int = 0
    updated_ns: int = 0
    used_tick: int = 0
    stale: bool = True
    prefix: bytes = b""

    def row(self) -> Row:
        """The numbers as they are now."""
        return Row(self.ip, self.queued_req_num, self.prompt_length, self.updated_ns)

    def encode(self) -> bytes:
        """The row as JSON, the contract's four members first and in its order."""
        return b'%b%d,"prompt_length":%d,"updated_time":%d}' % (
            self.prefix,
            self.queued_req_num,
            self.prompt_length,
            self.updated_ns,
        )


class Cluster:
    """A named group of engines. `order[engine.index] is engine`, and `encoded` has its bytes at the same place."""

    __slots__ = ("answer_bytes", "encoded", "engines", "name", "order", "stale")

    def __init__(self, name: str) -> None:
        self.name = name
        self.engines: dict[str, Engine] = {}
        self.order: list[Engine] = []
        self.encoded: list[bytes] = []
        self.stale: list[Engine] = []  # to be encoded anew; may hold engines closed since
        self.answer_bytes = b""  # empty: to be joined anew

    def open(self, ip: str) -> Engine:
        """A new idle engine, listed from now on."""
        engine = Engine(ip=ip, cluster=self, index=len(self.order), prefix=_prefix(ip))
        self.engines[ip] = engine
        self.order.append(engine)
        self.encoded.append(b"")
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
        del self.engines[engine.ip]
        engine.cluster = None
        self.answer_bytes = b""

    def answer(self) -> bytes:
        """The contract's `data`: a JSON array of rows."""
        if not self.answer_bytes:
            encoded = self.encoded
            for engine in self.stale:
                engine.stale = False
                if engine.cluster is self:
                    encoded[engine.index] = engine.encode()
            self.stale.clear()
            self.answer_bytes = b"[%b]" % b",".join(encoded)
        return self.answer_bytes

    def rows(self, start: int = 0, stop: int | None = None) -> list[Row]:
        """The engines' rows from place `start` to `stop`."""
        return [engine.row() for engine in self.order[start:stop]]


def _prefix(ip: str) -> bytes:
    return b'{"ip":%b,"queued_req_num":' % dumps(ip).encode()

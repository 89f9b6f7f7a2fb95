# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's engines, their numbers, and the answer to `GET /v1/load/stats` kept encoded.

Owned by the ledger and used under its lock. An engine's numbers are sums over its records and change only with them.
A query encodes the engines that changed since the last one and joins; the others' bytes are kept.
"""

from __future__ import annotations

from json import dumps
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.wheel import Link

INT64 = {"format": "int64"}  # for clients that are generated from the API's schema


class Row(Struct, frozen=True, gc=False):
    """One engine's load. `port` and `dp_rank` are of an engine that was named with them."""

    ip: Annotated[str, Meta(description="as it was reported")]
    queued_req_num: Annotated[int, Meta(description="requests that were started and not ended")]
    prompt_length: Annotated[int, Meta(description="sum over those before their first token", extra_json_schema=INT64)]
    updated_time: Annotated[
        int, Meta(description="when a call last changed it, in ns since 1970", extra_json_schema=INT64)
    ]
    prefill_req_num: Annotated[int, Meta(description="requests before their first token")] = 0
    token_num: Annotated[int, Meta(description="tokens held by requests in flight", extra_json_schema=INT64)] = 0
    orphaned_req_num: Annotated[int, Meta(description="requests whose owner is gone")] = 0
    port: int | UnsetType = UNSET
    dp_rank: int | UnsetType = UNSET

    @property
    def engine(self) -> str:
        """The engine's name as text."""
        if self.port is UNSET and self.dp_rank is UNSET:
            return self.ip
        return str(EngineName(self.ip, self.port or None, None if self.dp_rank is UNSET else self.dp_rank))


class EngineName(Struct, frozen=True, gc=False):
    """What tells engines of a cluster apart: an address, where given a port, where given a data-parallel rank.

    As text, which the ledger uses: `10.0.0.1`, `10.0.0.1:8000`, `10.0.0.1/3`, `10.0.0.1:8000/3`, `[::1]:8000/3`.
    """

    ip: str
    port: int | None = None
    dp_rank: int | None = None

    def __str__(self) -> str:
        if self.port is None and self.dp_rank is None:
            return self.ip
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        port = "" if self.port is None else f":{self.port}"
        rank = "" if self.dp_rank is None else f"/{self.dp_rank}"
        return f"{host}{port}{rank}"

    @classmethod
    def of(cls, text: str) -> EngineName:
        """The name that has this text. Raises ValueError where none has: there is one text to each name."""
        host, port, rank = text, "", ""
        if "/" in text or ":" in text:
            host, _, rank = text.partition("/")
            if host.startswith("["):
                host, _, port = host[1:].partition("]")
                port = port[1:]
            elif host.count(":") == 1:
                host, _, port = host.partition(":")
        name = cls(host, int(port) if port else None, int(rank) if rank else None)
        in_bounds = (name.port is None or 1 <= name.port <= 65_535) and (name.dp_rank or 0) in range(65_536)
        if not host or not in_bounds or str(name) != text:
            raise ValueError(f"expected an engine's name, got {text!r}")
        return name


class Engine(Link, gc=False):
    """One inference server of a cluster, by its `EngineName` as text. `used_tick` is when a client last moved one of
    its requests."""

    ip: str = ""
    cluster: Cluster | None = None
    index: int = 0
    queued_req_num: int = 0
    prompt_length: int = 0
    prefill_req_num: int = 0
    token_num: int = 0
    orphaned_req_num: int = 0
    updated_ns: int = 0
    used_tick: int = 0
    stale: bool = True
    name: EngineName = EngineName("")
    prefix: bytes = b""
    suffix: bytes = b""

    def row(self) -> Row:
        """The numbers as they are now."""
        name = self.name
        return Row(
            name.ip,
            self.queued_req_num,
            self.prompt_length,
            self.updated_ns,
            self.prefill_req_num,
            self.token_num,
            self.orphaned_req_num,
            UNSET if name.port is None else name.port,
            UNSET if name.dp_rank is None else name.dp_rank,
        )

    def encode(self) -> bytes:
        """The row as JSON, the contract's four members first and in its order."""
        return (
            b'%b%d,"prompt_length":%d,"updated_time":%d,"prefill_req_num":%d,"token_num":%d,"orphaned_req_num":%d%b'
            % (
                self.prefix,
                self.queued_req_num,
                self.prompt_length,
                self.updated_ns,
                self.prefill_req_num,
                self.token_num,
                self.orphaned_req_num,
                self.suffix,
            )
        )


class Cluster:
    """A named group of engines. `order[engine.index] is engine`, and `encoded` has its bytes at the same place.

    An engine's bytes are a new object whenever it changed. `revision` is another number when any of them is, or when an
    engine went; `closings` counts those. `added_total` counts requests since the cluster was opened. `tag` is what its
    answers' tags begin with: another one for each that the ledger opens, also of a name that was there before.
    """

    __slots__ = (
        "added_total",
        "answer_bytes",
        "answer_tag",
        "closings",
        "encoded",
        "engines",
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
        self.stale: list[Engine] = []  # to be encoded anew; may hold engines closed since
        self.answer_bytes = b""  # empty: to be joined anew
        self.answer_tag = b""
        self.added_total = 0
        self.closings = 0
        self.revision = 0
        self.numbers: CandidateNumbers | None = None  # for choices, from the first one on
        self.whole_view: CandidateView | None = None  # of all engines; may be out of date

    def open(self, ip: str) -> Engine:
        """A new idle engine, listed from now on."""
        name = EngineName.of(ip)
        engine = Engine(
            ip=ip, cluster=self, index=len(self.order), name=name, prefix=_prefix(name.ip), suffix=_suffix(name)
        )
        self.engines[ip] = engine
        self.order.append(engine)
        self.encoded.append(b"")
        if self.numbers is not None:
            self.numbers.open(name.ip, 0, 0)
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
        del self.engines[engine.ip]
        engine.cluster = None
        self.answer_bytes = b""
        self.closings += 1
        self.revision += 1

    def answer(self) -> bytes:
        """The contract's `data`: a JSON array of rows."""
        if not self.answer_bytes:
            self.refresh(len(self.stale))
            self.answer_bytes = b"[%b]" % b",".join(self.encoded)
            self.answer_tag = b"%b%x" % (self.tag, self.revision)
        return self.answer_bytes

    def candidate_numbers(self) -> CandidateNumbers:
        """Return the engines' numbers for a choice. Makes them at the first call; `refresh` keeps them up to date."""
        if self.numbers is None:
            self.numbers = CandidateNumbers()
            for engine in self.order:
                self.numbers.open(engine.name.ip, engine.queued_req_num, engine.prompt_length)
        return self.numbers

    def refresh(self, most: int) -> bool:
        """Encode at most so many of the engines that changed. Whether `encoded` is as things are now."""
        stale = self.stale
        if stale:
            encoded, numbers = self.encoded, self.numbers
            for engine in stale[-most:]:
                engine.stale = False
                if engine.cluster is self:
                    encoded[engine.index] = engine.encode()
                    if numbers is not None:
                        numbers.update(engine.index, engine.queued_req_num, engine.prompt_length)
            del stale[-most:]
            self.revision += 1
        return not stale


def _prefix(ip: str) -> bytes:
    return b'{"ip":%b,"queued_req_num":' % dumps(ip).encode()


def _suffix(name: EngineName) -> bytes:
    port = b"" if name.port is None else b',"port":%d' % name.port
    rank = b"" if name.dp_rank is None else b',"dp_rank":%d' % name.dp_rank
    return b"%b%b}" % (port, rank)

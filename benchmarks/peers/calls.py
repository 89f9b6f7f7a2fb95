# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The same work as calls to a node and to Dynamo. Pure.

Both get the head of a gateway written in Go, and ids and numbers of the same lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from json import dumps
from typing import NamedTuple

RING = 1009  # bodies of one kind of call; prime, so that it keeps no step with engines or prompts
BLOCK = 16  # tokens; Dynamo wants one size for all workers of a model
BLOCKS = 64  # of a prompt with hashes: 1,024 tokens

LOAD = "/v1/load/stats"


class PeerCall(NamedTuple):
    """One call, cut where the request's id goes.

    `method`, `target`: of its request line.
    `front`, `back`: its body before and behind the id; both empty where it has no body.
    """

    method: str
    target: str
    front: str = ""
    back: str = ""

    def request(self, request_id: str) -> bytes:
        """Return the whole request."""
        body = f"{self.front}{request_id}{self.back}" if self.front else ""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {self.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\n"
        return f"{head}{kind}Accept-Encoding: gzip\r\n\r\n{body}".encode()


def cut(method: str, target: str, id_member: str, **members: object) -> PeerCall:
    """Return a call whose body begins with the request's id."""
    rest = dumps(members, separators=(",", ":"))[1:]
    return PeerCall(method, target, f'{{"{id_member}":"', f'",{rest}' if members else '"}')


def ip(engine: int) -> str:
    """Return the address of an engine, by its number."""
    return f"10.0.{engine // 250}.{engine % 250 + 1}"


def prompt(number: int) -> int:
    """Return the length of a prompt: of 1 to 5 digits, as gateways send them."""
    return number * 7919 % int(10 ** (1 + number % 5))


def hashes(number: int) -> list[int]:
    """Return the hashes of a prompt's blocks. No engine has any of them cached."""
    return [(number * BLOCKS + block + 1) * 0x9E3779B97F4A7C15 % 2**62 for block in range(BLOCKS)]


class Side(NamedTuple):
    """How one of the two is called. Each takes a model's name, the number of a request, and of the model's engines."""

    start: Callable[[str, int, int], PeerCall]
    read: Callable[[str], PeerCall]
    pick: Callable[[str, int], PeerCall]
    pick_hashed: Callable[[str, int], PeerCall]


NODE = Side(
    start=lambda model, n, engines: cut(
        "POST", LOAD, "request_id", cluster=model, prompt_length=prompt(n), ip=ip(n * 31 % engines)
    ),
    read=lambda model: PeerCall("GET", f"{LOAD}?cluster={model}"),
    pick=lambda model, n: cut("POST", "/v1/load/pick", "request_id", cluster=model, prompt_length=prompt(n)),
    pick_hashed=lambda model, n: cut(
        "POST", "/v1/load/pick", "request_id", cluster=model, prompt_length=BLOCK * BLOCKS, prompt_hash=hashes(n)
    ),
)

DYNAMO = Side(
    start=lambda model, n, engines: cut(
        "POST",
        "/add",
        "request_id",
        model_name=model,
        worker_id=n * 31 % engines + 1,
        dp_rank=0,
        sequence_hashes=[],
        new_isl_tokens=prompt(n),
    ),
    read=lambda model: PeerCall("GET", f"/loads?model_name={model}"),
    pick=lambda model, n: cut(
        "POST",
        "/select_and_reserve",
        "selection_id",
        model_name=model,
        block_hashes=[],
        sequence_hashes=[],
        isl_tokens=max(1, prompt(n)),
    ),
    pick_hashed=lambda model, n: cut(
        "POST",
        "/select_and_reserve",
        "selection_id",
        model_name=model,
        block_hashes=hashes(n),
        sequence_hashes=hashes(n + RING),
        isl_tokens=BLOCK * BLOCKS,
    ),
)


class Work(NamedTuple):
    """A row of the table.

    `label`: what is done.
    `service`: which of Dynamo's services does it.
    `engines`: how many the model has.
    `rate`: calls/s at which latencies are measured: both can take twice as many.
    `calls`: returns the calls number n of a side, which follow each other.
    """

    label: str
    service: str
    engines: int
    rate: int
    calls: Callable[[Side, str, int], list[PeerCall]]


SLOTS, SELECT = "slot_tracker", "select_service"


def _start_and_read(side: Side, model: str, n: int, engines: int) -> list[PeerCall]:
    return [side.start(model, n, engines), side.read(model)]


WORKS = (
    Work("start of a request", SLOTS, 100, 2000, lambda side, model, n: [side.start(model, n, 100)]),
    Work("read of 100 engines, unchanged", SLOTS, 100, 2000, lambda side, model, n: [side.read(model)]),
    Work("read of 1,000 engines, unchanged", SLOTS, 1000, 200, lambda side, model, n: [side.read(model)]),
    Work(
        "start, then read of 100 engines: both",
        SLOTS,
        100,
        2000,
        lambda side, model, n: _start_and_read(side, model, n, 100),
    ),
    Work(
        "start, then read of 1,000 engines: both",
        SLOTS,
        1000,
        200,
        lambda side, model, n: _start_and_read(side, model, n, 1000),
    ),
    Work("pick of 100 engines and book, no hashes", SELECT, 100, 2000, lambda side, model, n: [side.pick(model, n)]),
    Work("the same with 64 hashes", SELECT, 100, 2000, lambda side, model, n: [side.pick_hashed(model, n)]),
)


def ring(work: Work, side: Side, model: str) -> Iterator[PeerCall]:
    """Return the calls that are repeated with ever new ids."""
    for number in range(RING):
        yield from work.calls(side, model, number)


def request_id(run: int, number: int) -> str:
    """Return the id of a request: a UUID, other in each run. The same as in `wrk/peer.lua`."""
    return f"6ba7{run:04x}-9dad-41d1-80b4-{number:012x}"

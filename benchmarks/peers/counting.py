# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What each of the two counts after calls that come late, twice or never.

Every history runs on a model of its own with one engine, one call at a time. What is counted is read at once after it:
what time repairs is said beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection
from json import loads
from random import Random
from typing import Literal, NamedTuple, Protocol

from benchmarks.peers.calls import LOAD
from benchmarks.peers.dynamo import post

PROMPT = 100  # the length of each prompt
REQUESTS = 500  # of a history by chance
Step = tuple[Literal["start", "first", "end"], str]


class History(NamedTuple):
    """Calls in the order in which they arrive.

    `label`: what happened.
    `steps`: the calls, and the request that each is about.
    `truth`: requests in flight, and the sum of prompts whose first token has not come, once all calls have arrived.
    """

    label: str
    steps: Sequence[Step]
    truth: tuple[int, int]


class Counted(NamedTuple):
    """What a side counts after a history.

    `requests`, `prompts`: requests in flight, and the prompts that count as not yet read.
    `answers`: the statuses of the calls but 200 and 201, and how often.
    """

    requests: int
    prompts: int
    answers: dict[int, int]


class CountingSide(Protocol):
    """One side."""

    def tell(self, model: str, step: Step) -> int:
        """Make a call. Returns its status."""
        ...

    def count(self, model: str) -> tuple[int, int]:
        """Return the requests in flight and the sum of prompts."""
        ...


def histories(seed: int = 1) -> list[History]:
    """Return what is tried."""
    late = Random(seed)
    names = [f"r{number}" for number in range(REQUESTS)]
    lives: list[Step] = [(what, name) for name in names for what in ("start", "first", "end")]
    twice = [*lives, *lives]
    shuffled = late.sample(twice, len(twice))
    lost = set(late.sample(range(REQUESTS), REQUESTS // 100))
    some_lost = [step for step in lives if step[0] != "end" or int(step[1][1:]) not in lost]
    near: list[Step] = sorted(lives, key=lambda step: _when(step, late))
    return [
        History("start, first token, end, in order", [("start", "a"), ("first", "a"), ("end", "a")], (0, 0)),
        History("the start twice", [("start", "a"), ("start", "a")], (1, PROMPT)),
        History("the end twice", [("start", "a"), ("end", "a"), ("end", "a")], (0, 0)),
        History("the end overtakes its start", [("end", "a"), ("start", "a")], (0, 0)),
        History("the first token overtakes its start", [("first", "a"), ("start", "a")], (1, 0)),
        History("a start is repeated after its end", [("start", "a"), ("end", "a"), ("start", "a")], (0, 0)),
        History("the start is lost", [("first", "a"), ("end", "a")], (0, 0)),
        History("the end is lost", [("start", "a"), ("first", "a")], (1, 0)),
        History(f"{REQUESTS} lives, 1 % of the ends lost", some_lost, (len(lost), 0)),
        History(f"{REQUESTS} lives, calls up to three places late", near, (0, 0)),
        History(f"{REQUESTS} lives, all calls twice and in any order", shuffled, (0, 0)),
    ]


def _when(step: Step, late: Random) -> float:
    """Return when a call of a life arrives, in places: each is up to three later than it was made."""
    return int(step[1][1:]) * 3 + ("start", "first", "end").index(step[0]) + late.uniform(0, 3)


def play(history: History, model: str, side: CountingSide) -> Counted:
    """Make a history's calls and return what is counted."""
    answers = Counter(side.tell(model, step) for step in history.steps)
    return Counted(*side.count(model), {status: n for status, n in sorted(answers.items()) if status not in (200, 201)})


class NodeCounter:
    """A node."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def tell(self, model: str, step: Step) -> int:
        what, name = step
        request_id = f"{model}-{name}"
        if what == "start":
            body: dict[str, object] = {"cluster": model, "request_id": request_id, "ip": "10.0.0.1"}
            return post(self._connection, LOAD, body | {"prompt_length": PROMPT})[0]
        target = LOAD if what == "end" else "/v1/load/prompt"
        return post(self._connection, target, {"request_id": request_id}, "DELETE")[0]

    def count(self, model: str) -> tuple[int, int]:
        self._connection.request("GET", f"{LOAD}?cluster={model}")
        rows = loads(self._connection.getresponse().read())["data"] or []
        return sum(row["queued_req_num"] for row in rows), sum(row["prompt_length"] for row in rows)


class SlotCounter:
    """Dynamo's slot tracker, which knows the models' workers already."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def tell(self, model: str, step: Step) -> int:
        what, name = step
        body: dict[str, object] = {"model_name": model, "request_id": f"{model}-{name}"}
        if what == "start":
            body |= {"worker_id": 1, "dp_rank": 0, "sequence_hashes": [], "new_isl_tokens": PROMPT}
        target = {"start": "/add", "first": "/prefill_complete", "end": "/free"}[what]
        return post(self._connection, target, body)[0]

    def count(self, model: str) -> tuple[int, int]:
        body = {"model_name": model, "sequence_hashes": [], "new_isl_tokens": 0}
        rows = post(self._connection, "/potential_loads", body)[1]
        return sum(row["active_requests"] for row in rows), sum(row["potential_prefill_tokens"] for row in rows)

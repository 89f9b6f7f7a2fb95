# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Many operations in one call: each as the call that it names, whatever is wrong with its neighbours."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.batch import MAX_COMMAS, MAX_OPERATIONS, SLICE, STEP, BatchHandlers
from loadstats.ledger import Ledger

OK = {"code": 200}


def add(request_id: str, ip: str = "10.0.0.1", **more: Any) -> dict[str, Any]:
    return {"op": "add", "cluster": "c", "request_id": request_id, "ip": ip, **more}


class Batches:
    """Batches on one ledger."""

    def __init__(self, **options: Any) -> None:
        self.ledger = Ledger(**options)
        self.handlers = BatchHandlers(self.ledger, now=lambda: 100.0, wall_ns=lambda: 7)
        self.turns = 0

    def raw(self, body: bytes) -> Any:
        work = self.handlers.batch(Call(b"", body, {}))
        self.turns = 1
        while True:
            try:
                next(work)
            except StopIteration as done:
                return msgspec.json.decode(done.value)
            self.turns += 1

    def __call__(self, *operations: Any) -> Any:
        return self.raw(msgspec.json.encode({"ops": operations}))


def test_a_life_in_one_call() -> None:
    batches = Batches()
    assert batches(
        add("r1", prompt_length=5, timestamp=1, owner="g"),
        add("r2", port=8000, dp_rank=3),
        {"op": "tokens", "request_id": "r1", "input_tokens": 3, "output_tokens": 4},
        {"op": "refresh", "request_id": "r1"},
        {"op": "prompt", "request_id": "r1", "cluster": ""},
        {"op": "delete", "request_id": "r2"},
    ) == [OK, OK, OK, OK | {"unknown": []}, OK, OK]
    first, second = batches.ledger.rows("c")
    assert (first.queued_req_num, first.prefill_req_num, first.token_num) == (1, 0, 7)
    assert (second.ip, second.port, second.dp_rank, second.queued_req_num) == ("10.0.0.1", 8000, 3, 0)


def test_nothing_is_a_batch_too() -> None:
    assert Batches()() == []


def test_each_is_answered_in_its_place_and_what_is_wrong_stops_nothing() -> None:
    batches = Batches()
    batches(add("r0"))
    answers = batches(
        add("r1"),
        add("r2", ip="ten"),
        5,
        {"op": "add", "request_id": "r3"},
        {"op": "jump", "request_id": "r3"},
        {"request_id": "r3"},
        add("r4", prompt_length=-1),
        {"op": "refresh", "request_id": "r9"},
        {"op": "refresh", "request_id": "r1"},
        add("r5", match={"queued_req_num": 9}),
        {"op": "delete", "request_id": "r0"},
    )
    assert [answer["code"] for answer in answers] == [200, *[40001400] * 6, 200, 200, 40901000, 200]
    wrong = {"code": 40001400, "message": "invalid input"}
    assert answers[1] == wrong | {"reason": "ip: expected an IPv4 or IPv6 address, got 'ten'"}
    assert [answer["reason"].partition(":")[0] for answer in answers[2:7]] == [
        "body",
        "body",
        "op",
        "body",
        "prompt_length",
    ]
    assert answers[7:9] == [OK | {"unknown": ["r9"]}, OK | {"unknown": []}]
    assert answers[9]["data"]["queued_req_num"] == 2
    assert batches.ledger.rows("c")[0].queued_req_num == 1


def test_engines_are_dropped_among_other_operations() -> None:
    batches = Batches()
    answers = batches(
        add("r1"),
        add("r2", port=8000),
        add("r3", port=8001, dp_rank=1),
        add("r4", ip="10.0.0.2"),
        {"op": "drop", "cluster": "c", "ip": "10.0.0.1"},
        {"op": "drop", "cluster": "c", "ip": "10.0.0.1"},
        {"op": "drop", "cluster": "c", "ip": "10.0.0.1", "all": True},
        {"op": "drop", "cluster": "c", "ip": "10.0.0.1", "all": True, "port": 80},
        add("r5", port=8000),
    )
    assert [answer["code"] for answer in answers] == [200] * 5 + [40401000, 200, 40001400, 200]
    assert answers[4] == OK | {"ended": 1}
    assert answers[5]["reason"] == "ip: cluster 'c' has no engine 10.0.0.1"
    assert answers[6] == OK | {"ended": 2}
    assert sorted(row.engine for row in batches.ledger.rows("c")) == ["10.0.0.1:8000", "10.0.0.2"]
    while batches.ledger.lapse(100.0, 7):
        pass
    assert batches.ledger.counts().in_flight == 2


def test_a_full_ledger_is_told_in_each_place() -> None:
    batches = Batches(max_records=2)
    reason = "requests: this node holds its most, 2 ([Load] MaxRequests)"
    full = {"code": 42901000, "message": "refused by a cap", "reason": reason}
    assert batches(add("r1"), add("r2"), add("r3"), {"op": "delete", "request_id": "r1"}) == [OK, OK, full, OK]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "body: expected one JSON object"),
        (b"[]", "body: expected `object`, got `array`"),
        (b"{}", "body: object missing required field `ops`"),
        (b'{"ops":{}}', "ops: expected `array`, got `object`"),
        (b'{"ops":[' + b"1," * MAX_OPERATIONS + b"1]}", "ops: expected `array` of length <= 10000"),
        (b'{"ops":[' + b"1," * MAX_COMMAS + b",1]}", "ops[0]: expected `object`, got `int`"),
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Batches().raw(body)
    assert refused.value.reason.startswith(reason)


def test_the_most_are_taken_in_slices() -> None:
    batches = Batches()
    assert batches(*[add(f"r{number}") for number in range(MAX_OPERATIONS)]) == [OK] * MAX_OPERATIONS
    assert -(-MAX_OPERATIONS // SLICE) <= batches.turns <= -(-MAX_OPERATIONS // STEP)
    assert batches.ledger.counts().in_flight == MAX_OPERATIONS


def test_a_slice_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr("loadstats.batch.perf_counter", lambda: float(next(seconds)))
    batches = Batches()
    assert batches(*[add(f"r{number}") for number in range(4 * STEP)]) == [OK] * 4 * STEP
    assert batches.turns == 4


def test_both_handlers_of_the_route_are_made_of_the_same_steps() -> None:
    (route,) = BatchHandlers(Ledger()).routes()
    assert route.handler.__name__ == "batch"
    assert route.handler(Call(b"", b'{"ops":[]}', {})) == b"[]"
    assert route.async_handler is not None
    assert not route.async_handler.idle
    assert [route.async_handler.applies(b"", size) for size in (0, 32 * 1024, 32 * 1024 + 1)] == [False, False, True]


def test_a_batch_that_a_cap_refuses_in_part_is_reported_once() -> None:
    batches = Batches(max_records=2)
    seen: list[tuple[str, str]] = []
    batches.handlers = BatchHandlers(batches.ledger, capped=lambda client, reason: seen.append((client, reason)))
    answers = batches(add("r1"), add("r2"), add("r3"), add("r4"))
    assert [answer["code"] // 100_000 or answer["code"] for answer in answers] == [200, 200, 429, 429]
    (told,) = seen
    assert told[1].startswith("requests")
    assert told[1] == answers[2]["reason"]
    batches({"op": "delete", "request_id": "r1"})
    assert len(seen) == 1

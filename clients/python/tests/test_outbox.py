# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Operations on their way: order, bounds, and what is repeated when a node dies."""

from __future__ import annotations

import msgspec
import pytest
from metadata_center_client.exchange import Reply
from metadata_center_client.nodes import Nodes
from metadata_center_client.outbox import BATCH, Outbox, deliver

NODES = ["http://a", "http://b"]


class Delivering:
    """Deliveries to nodes of which some are down.

    `foreign`: where something else than a node answers.
    `largest`: the bytes that they take.
    `sizes`: how many operations the calls had that they took.
    `arrived`: node and operation.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self.outbox = Outbox(capacity)
        self.nodes = Nodes(NODES)
        self.down: set[str] = set()
        self.status = 200
        self.foreign: set[str] = set()
        self.largest = 4 * 1024 * 1024
        self.sizes: list[int] = []
        self.arrived: list[tuple[str, str]] = []

    def run(self, now: float) -> bool:
        steps = deliver(self.outbox, self.nodes, "key", lambda: now)
        try:
            node, call = next(steps)
            while True:
                if node.url in self.down:
                    reply = Reply(failure="refused")
                elif node.url in self.foreign:
                    reply = Reply(200, b"<html>")
                elif (status := 413 if len(call.body) > self.largest else self.status) != 200:
                    body = {"error": {"code": status * 100_000, "message": "no", "reason": "why"}}
                    reply = Reply(status, msgspec.json.encode(body))
                else:
                    operations = msgspec.json.decode(call.body)["ops"]
                    self.sizes.append(len(operations))
                    self.arrived += [(node.url, each["request_id"]) for each in operations]
                    reply = Reply(200, msgspec.json.encode({"data": [{"code": 200} for _ in operations]}))
                node, call = steps.send(reply)
        except StopIteration as done:
            return bool(done.value)

    def put(self, *names: str) -> None:
        for name in names:
            self.outbox.put({"op": "delete", "request_id": name})

    def first(self) -> str:
        return self.nodes.order("key", 0.0)[0].url

    def second(self) -> str:
        return self.nodes.order("key", 0.0)[1].url


def test_operations_arrive_in_order_and_once() -> None:
    to = Delivering()
    to.put("1", "2", "3")
    assert to.run(0.0)
    assert to.arrived == [(to.first(), name) for name in "123"]
    assert len(to.outbox) == 0


def test_what_a_node_acknowledged_within_its_last_second_goes_to_another_one_when_it_dies() -> None:
    to = Delivering()
    for now, name in ((0.0, "old"), (9.5, "recent"), (10.0, "last")):
        to.put(name)
        assert to.run(now)
    to.arrived.clear()
    to.down = {to.first()}
    to.put("new")
    assert to.run(30.0)
    assert to.arrived == [(to.second(), name) for name in ("recent", "last", "new")]


def test_what_was_acknowledged_so_long_ago_that_nodes_may_have_forgotten_its_end_is_not_repeated() -> None:
    to = Delivering()
    to.down = {to.first()}
    to.put("start")
    assert to.run(0.0)
    to.down = set()
    to.put("end")  # at the first node; the second one is not asked any more
    assert to.run(1.0)
    to.down = set(NODES)
    to.put("much later")
    assert not to.run(3_600.0)
    to.down = set()
    to.arrived.clear()
    assert to.run(3_601.0)
    assert to.arrived == [(to.first(), "much later")]


def test_where_something_else_than_a_node_answers_another_one_gets_what_it_acknowledged_too() -> None:
    to = Delivering()
    to.put("1")
    to.run(0.0)
    to.arrived.clear()
    to.foreign = {to.first()}
    to.put("2")
    assert to.run(0.5)
    assert to.arrived == [(to.second(), name) for name in "12"]


def test_what_was_repeated_is_not_repeated_again_by_the_same_death() -> None:
    to = Delivering()
    to.put("1")
    to.run(0.0)
    to.down = {to.first()}
    to.put("2")
    to.run(0.5)
    to.arrived.clear()
    to.put("3")
    to.run(0.6)
    assert to.arrived == [(to.second(), "3")]


def test_while_all_nodes_are_down_everything_waits_in_order() -> None:
    to = Delivering()
    to.put("1")
    to.run(0.0)
    to.down = set(NODES)
    to.put("2", "3")
    assert not to.run(0.5)
    to.down = {to.first()}
    assert to.run(0.6)
    assert to.arrived[1:] == [(to.second(), name) for name in "123"]


def test_of_too_many_the_oldest_go_and_are_counted() -> None:
    to = Delivering(capacity=2)
    to.put("1", "2", "3")
    to.run(0.0)
    assert [name for _, name in to.arrived] == ["2", "3"]
    assert to.outbox.dropped == 1


def test_a_batch_is_bounded() -> None:
    to = Delivering()
    to.put(*map(str, range(BATCH + 1)))
    assert to.run(0.0)
    assert (len(to.arrived), len(to.outbox)) == (BATCH, 1)


def test_a_batch_is_bounded_also_where_a_death_repeats_much() -> None:
    to = Delivering()
    names = [str(number) for number in range(4 * BATCH)]
    to.put(*names)
    for _ in range(3):
        assert to.run(0.0)
    to.arrived.clear()
    to.down = {to.first()}
    for _ in range(4):
        assert to.run(0.5)
    assert to.arrived == [(to.second(), name) for name in names]
    assert set(to.sizes) == {BATCH}


def test_a_batch_that_is_too_large_for_a_node_is_halved_until_it_is_not() -> None:
    to = Delivering()
    to.largest = 1_000
    names = [f"{number:0200}" for number in range(10)]
    to.put(*names)
    while to.outbox:
        assert to.run(0.0)
    assert to.arrived == [(to.first(), name) for name in names]
    assert to.outbox.refused == 0


def test_an_operation_that_is_too_large_by_itself_is_refused_and_the_others_arrive() -> None:
    to = Delivering()
    to.largest = 1_000
    to.put("1", "2" * 1_000, "3")
    while to.outbox:
        assert to.run(0.0)
    assert [name for _, name in to.arrived] == ["1", "3"]
    assert (to.outbox.refused, to.outbox.last_refusal) == (1, "no: why")


def test_what_a_node_refuses_is_counted_and_not_tried_again() -> None:
    to = Delivering()
    to.status = 401
    to.put("1", "2")
    assert to.run(0.0)
    assert (to.outbox.refused, to.outbox.last_refusal, len(to.outbox)) == (2, "no: why", 0)


def test_what_is_too_many_for_a_node_now_waits() -> None:
    to = Delivering()
    to.status = 429
    to.put("1")
    assert not to.run(0.0)
    to.status = 200
    assert to.run(1.0)
    assert to.arrived == [(to.first(), "1")]


@pytest.mark.parametrize("wrong", [object(), 1j, "\ud800"])
def test_an_operation_that_is_no_json_is_refused_and_the_others_arrive(wrong: object) -> None:
    to = Delivering()
    to.put("1")
    to.outbox.put({"op": "add", "request_id": "2", "prompt_length": wrong})
    to.put("3")
    assert to.run(0.0)
    assert to.arrived == [(to.first(), name) for name in "13"]
    assert (to.outbox.refused, len(to.outbox)) == (1, 0)
    assert to.outbox.last_refusal.startswith("add: ")


def test_a_delivery_that_is_given_up_half_way_puts_its_operations_back() -> None:
    to = Delivering()
    to.put("1", "2")
    steps = deliver(to.outbox, to.nodes, "key", lambda: 0.0)
    next(steps)
    assert len(to.outbox) == 0
    steps.close()
    assert to.run(0.0)
    assert to.arrived == [(to.first(), name) for name in "12"]


def test_what_a_node_took_late_is_kept_as_long_as_what_it_took_at_once() -> None:
    to = Delivering()
    to.put("1")
    steps = deliver(to.outbox, to.nodes, "key", iter([0.0, 0.9]).__next__)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(Reply(200, b'{"data": [{"code": 200}]}'))
    to.put("2")
    assert to.run(1.5)
    to.down = {to.first()}
    to.put("3")
    assert to.run(1.6)
    assert to.arrived[1:] == [(to.second(), name) for name in "123"]

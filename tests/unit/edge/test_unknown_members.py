# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Members that no call knows: ignored, and at DEBUG logged once for each name."""

from __future__ import annotations

import logging
from random import Random
from typing import Any

import msgspec
import pytest

from edge.body import Body
from edge.call import Call
from edge.unknown_members import MAX_BODY_BYTES, MAX_NAME_LENGTH, MAX_NAMES
from loadstats.batch import BatchHandlers
from loadstats.handlers import LoadHandlers
from loadstats.ledger import Ledger
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.wire import Add, Ended

ADD = {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"}


def body(**members: Any) -> bytes:
    return msgspec.json.encode(ADD | members)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "edge.unknown_members"]


def test_each_name_is_logged_once_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read = Body(Add).read
    for number in range(3):
        assert read(body(weight=number, priority="x")).request_id == "r"
    read(body(weight=None))
    read(body())
    assert logged(caplog) == [
        "Add: member 'priority' is unknown and ignored",
        "Add: member 'weight' is unknown and ignored",
    ]


def test_above_debug_nothing_is_looked_at(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.unknown_members.UnknownMembers.look", lambda *args: pytest.fail("looked"))
    caplog.set_level(logging.INFO)
    read = Body(Add).read
    read(body(weight=1))
    assert logged(caplog) == []


def test_the_level_may_change_while_the_node_runs(caplog: pytest.LogCaptureFixture) -> None:
    read = Body(Add).read
    for level, expected in ((logging.INFO, 0), (logging.DEBUG, 1), (logging.INFO, 1)):
        caplog.set_level(level)
        read(body(**{f"weight_{level}": 1}))
        assert len(logged(caplog)) == expected


def test_a_member_within_a_member_is_named_with_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Body(Add).read(body(match={"queued_req_num": 0, "token_num": 3}))
    assert logged(caplog) == ["Add: member 'match.token_num' is unknown and ignored"]


def test_every_handler_looks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ledger = Ledger()
    call = lambda **members: Call(b"", body(**members), {})  # noqa: E731
    load, batch = LoadHandlers(ledger), BatchHandlers(ledger)
    pick = PickHandlers(ledger, PickOptions(), Random(1).random)
    for number in range(2):
        load.add(call(weight=1))
        load.done(call(weight=1))
        pick.pick(call(weight=1, candidates=[f"10.0.0.{number}"]))
        operation = ADD | {"op": "add", "weight": 1}
        for operations in ([operation], [operation, 5]):
            for _ in batch.batch(Call(b"", msgspec.json.encode({"ops": operations}), {})):
                pass
    assert sorted(logged(caplog)) == [
        "Add: member 'weight' is unknown and ignored",
        "AddOperation: member 'weight' is unknown and ignored",
        "Batch: member 'ops.weight' is unknown and ignored",
        "QuickPick: member 'ip' is unknown and ignored",
        "QuickPick: member 'weight' is unknown and ignored",
        "RequestEnd: member 'cluster' is unknown and ignored",
        "RequestEnd: member 'ip' is unknown and ignored",
        "RequestEnd: member 'weight' is unknown and ignored",
    ]


def test_the_names_are_bounded_and_so_are_their_lengths(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read = Body(Ended).read
    for number in range(3 * MAX_NAMES):
        read(msgspec.json.encode({"request_id": "r", f"m{number:03}" + "x" * 1000: 1}))
    assert len(logged(caplog)) == MAX_NAMES + 1
    assert logged(caplog)[-1] == "Ended: further unknown members are not logged"
    assert all(len(line) < MAX_NAME_LENGTH + 60 for line in logged(caplog))


def test_a_large_body_is_not_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Body(Ended).read(msgspec.json.encode({"request_id": "r", "weight": "x" * MAX_BODY_BYTES}))
    assert logged(caplog) == []


def test_a_name_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Body(Ended).read(msgspec.json.encode({"request_id": "r", "a\nERROR b": 1}))
    assert logged(caplog) == ["Ended: member 'a\\nERROR b' is unknown and ignored"]


@pytest.mark.parametrize("odd", [b'{"request_id":"r","x":"\\ud83d"}', b'{"request_id":"r","x":"\xff"}'])
def test_what_cannot_be_looked_at_is_served_all_the_same(odd: bytes, caplog: pytest.LogCaptureFixture) -> None:
    before = _answer(odd)
    caplog.set_level(logging.DEBUG)
    assert _answer(odd) == before


def _answer(text: bytes) -> object:
    try:
        return Body(Ended).read(text).request_id
    except Exception as error:
        return str(error)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One client holds at most a share of each cap, by whatever call it comes, and what holds nothing makes room."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.caller import Caller, Scope
from edge.errors import TooMany
from loadstats.batch import BatchHandlers
from loadstats.handlers import LoadHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import Ledger, LedgerFull, LegacyLedgerAdapter
from loadstats.ledger.sizes import REQUEST_BYTES, request_size
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from tests.audit import audit

A, B = "10.0.0.7", "127.0.0.1"


def call(body: Any, client: str = A, caller: Caller | None = None) -> Call:
    return Call(b"", msgspec.json.encode(body), {}, client=client, caller=caller)


def start(number: int, **members: Any) -> dict[str, Any]:
    return {"cluster": "c", "request_id": f"r{number}", "ip": "10.1.0.1", "prompt_length": 1, **members}


def held(ledger: Ledger) -> dict[str, tuple[int, int, int]]:
    return {each.name: (each.requests, each.engines.size, each.owners.size) for each in ledger.clients()}


def test_every_call_that_leaves_something_is_its_clients() -> None:
    ledger = Ledger()
    load, alive, batch = LoadHandlers(ledger), KeepAliveHandlers(ledger), BatchHandlers(ledger)
    pick = PickHandlers(ledger, PickOptions(), lambda: 0.0)
    load.add(call(start(1, owner="g")))
    load.done(call({"request_id": "early"}))
    load.first_token(call({"request_id": "earlier"}))
    alive.tokens(call({"request_id": "earliest", "input_tokens": 1, "output_tokens": 1}))
    alive.heartbeat(call({"owner": "h", "ttl_seconds": 5}, B))
    pick.pick(call({"cluster": "c", "request_id": "p", "candidates": [{"ip": "10.1.0.9"}]}, B))
    some = [{"op": "add", **start(2)}, {"op": "delete", "request_id": "x"}, {"op": "prompt", "request_id": "y"}]
    list(batch.batch(call({"ops": some}, caller=Caller("key eu", frozenset({Scope.WRITE})))))
    LoadHandlers(LegacyLedgerAdapter(ledger.replica)).add(call(start(3)))
    assert held(ledger) == {A: (4, 1, 1), B: (1, 1, 1), "key eu": (3, 0, 0)}
    audit(ledger)


def test_the_answer_names_the_cap_the_share_and_the_setting() -> None:
    ledger = Ledger(max_records=8)
    load = LoadHandlers(ledger)
    for number in range(5):
        load.add(call(start(number)))
    with pytest.raises(TooMany) as refused:
        load.add(call(start(9)))
    assert refused.value.code == 42901000
    for word in ("requests: ", "[Load] MaxRequests, 8", "share of it, 2", "[Quotas] Share"):
        assert word in refused.value.reason
    load.add(call(start(9), B))
    load.add(call(start(0)))  # a repeated add leaves nothing more


def test_the_share_is_divided_by_the_number_of_nodes() -> None:
    ledger = Ledger(max_records=80)
    ledger.nodes = 4
    for number in range(41):
        ledger.add(f"a{number}", "c", "10.1.0.1", 1, 0.0, 1, client=A)
    for number in range(5):
        ledger.add(f"b{number}", "c", "10.1.0.1", 1, 0.0, 1, client=B)
    with pytest.raises(LedgerFull, match="share of 5"):
        ledger.add("b", "c", "10.1.0.1", 1, 0.0, 1, client=B)


def test_early_ends_beyond_the_share_are_not_remembered() -> None:
    ledger = Ledger(max_records=8)
    for number in range(20):
        ledger.done(f"x{number}", 0.0, 1, client=A)
    assert held(ledger)[A][0] == 5
    assert ledger.counts().forgotten == 15


def test_a_flood_of_invented_owners_leaves_room_and_is_soon_over() -> None:
    ledger = Ledger(max_owners=100)
    refused = 0
    for number in range(100):
        try:
            ledger.beat(f"invented-{number}", 86_400, 0.0, 1, client=A)
        except LedgerFull as full:
            refused += full.share == 25
    assert refused == 49
    ledger.beat("real", 30, 0.0, 1, client=B)
    ledger.add("r", "c", "10.1.0.1", 1, 0.0, 1, "busy", client=B)
    ledger.beat("busy", 86_400, 0.0, 1, client=B)
    for now in range(0, 200, 10):
        ledger.beat("real", 30, now, 1, client=B)
        while ledger.lapse(now, 1):
            audit(ledger)
    assert {owner.name for owner in ledger.requests.owners()} == {"real", "busy"}


def test_two_nodes_do_not_remind_each_other_of_an_unused_owner() -> None:
    some, others = Ledger(), Ledger()
    some.beat("g", 86_400, 0.0, 1)
    for now in range(400):
        for one, other in ((some, others), (others, some)):
            one.replica.merge_owners(other.replica.owners(now), now)
            while one.lapse(now, 1):
                pass
    assert some.counts().owners == others.counts().owners == 0


def test_a_clients_idle_engine_makes_room_for_its_next() -> None:
    ledger = Ledger(max_engines=8)
    for number in range(30):
        ledger.add(f"r{number}", f"c{number}", "10.1.0.1", 1, 0.0, 1, client=A)
        ledger.done(f"r{number}", 0.0, 1, client=A)
    assert held(ledger)[A][1] == 5
    audit(ledger)


def test_an_engine_with_requests_is_never_closed_for_room() -> None:
    ledger = Ledger(max_engines=8)
    for number in range(5):
        ledger.add(f"r{number}", f"c{number}", "10.1.0.1", 1, 0.0, 1, client=A)
    with pytest.raises(LedgerFull, match="engines"):
        ledger.add("r", "c", "10.1.0.1", 1, 0.0, 1, client=A)
    assert ledger.counts().engines == 5


def test_invented_engines_make_room_where_the_cap_is_reached_and_used_ones_do_not() -> None:
    ledger = Ledger(max_engines=4)
    ledger.add("old", "real", "10.1.0.1", 1, 0.0, 1)
    for number in range(3):
        ledger.add(f"r{number}", "invented", f"10.1.0.{number}", 1, 0.0, 1)
        ledger.done(f"r{number}", 1.0, 1)
    ledger.done("old", 100.0, 1)
    ledger.add("new", "c", "10.1.0.1", 1, 200.0, 1, client=B)
    assert ledger.counts().engines == 4
    assert [row.ip for row in ledger.rows("real")] == ["10.1.0.1"]
    audit(ledger)


@pytest.mark.no_cover
@pytest.mark.parametrize("letter", ["", "x", "é", "一", "\U0001f600"])
def test_a_full_ledger_takes_as_many_bytes_whatever_the_ids_are(letter: str) -> None:
    name = "%s" + letter * 240
    ledger = Ledger(max_records=3000)
    for number in range(200):  # so that what does not grow with records is there
        ledger.done(f"early-{number}", 0.0, 1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    taken = number = 0
    while taken < 2000:
        request_id = name % f"request-{number:08d}"
        ledger.add(request_id, "c", "10.1.0.1", 1000 + number, 0.0, 1000 + number)
        taken += request_size(request_id)
        number += 1
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert (after - before) / taken < REQUEST_BYTES * 1.25
    assert ledger._records.size == taken + 200

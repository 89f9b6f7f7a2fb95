# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An engine is one engine, however an address is spelled: at every call that takes one, and in every answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.ledger import Added, Dropped, RequestCopy
from replication.buckets import State
from replication.entities.caches import CacheLost, ReplicatedCaches, Saved
from replication.entities.requests import ReplicatedRequests
from replication.messages import Push
from replication.paths import VERSION
from tests.unit.partial_node import PartialNode
from tests.unit.replication.raw_peer import Node

SPELLINGS = {
    "fd00::7": ["fd00::7", "FD00::7", "fd00:0::7", "fd00::0:7", "FD00:0000:0000:0000:0000:0000:0000:0007"],
    "10.0.0.7": ["10.0.0.7", "::ffff:10.0.0.7", "::FFFF:a00:7", "0:0:0:0:0:ffff:10.0.0.7"],
    "2001:db8::a00:7": ["2001:db8::10.0.0.7", "2001:0DB8::A00:7"],
}
PAIRS = [(form, spelled) for form, found in SPELLINGS.items() for spelled in found]


@pytest.fixture
def node() -> PartialNode:
    return PartialNode()


def call(node: PartialNode, method: str, target: str, **members: Any) -> Any:
    path, _, query = target.partition("?")
    route = node.dispatcher.table.find(method.encode(), path.encode())
    assert route is not None
    return msgspec.json.decode(route.handler(Call(query.encode(), msgspec.json.encode(members), {})))


def engines(node: PartialNode) -> list[tuple[str, int]]:
    rows = call(node, "GET", "/v1/load/stats?cluster=c") or []
    return sorted((row["ip"], row["queued_req_num"]) for row in rows)


@pytest.mark.parametrize("form", SPELLINGS)
def test_all_spellings_count_on_one_engine(node: PartialNode, form: str) -> None:
    for number, spelled in enumerate(SPELLINGS[form]):
        call(node, "POST", "/v1/load/stats", cluster="c", request_id=f"r{number}", ip=spelled)
        operation = {"op": "add", "cluster": "c", "request_id": f"b{number}", "ip": spelled}
        assert call(node, "POST", "/v1/load/batch", ops=[operation]) == [{"code": 200}]
    assert engines(node) == [(form, 2 * len(SPELLINGS[form]))]
    assert call(node, "GET", "/v1/load/request?request_id=r0")["ip"] == form


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_a_match_is_about_the_engine_that_is_meant(node: PartialNode, form: str, spelled: str) -> None:
    call(node, "POST", "/v1/load/stats", cluster="c", request_id="r", ip=form, prompt_length=5)
    call(node, "POST", "/v1/load/stats", cluster="c", request_id="s", ip=spelled, match={"prompt_length": 5})
    assert engines(node) == [(form, 2)]


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_an_engine_is_dropped_by_any_spelling(node: PartialNode, form: str, spelled: str) -> None:
    call(node, "POST", "/v1/load/stats", cluster="c", request_id="r", ip=form, port=8000)
    assert call(node, "DELETE", "/v1/load/engine", cluster="c", ip=spelled, port=8000) == {"ended": 1}
    assert engines(node) == []


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_a_candidate_is_the_engine_that_is_meant(node: PartialNode, form: str, spelled: str) -> None:
    host = f"[{spelled}]" if ":" in spelled else spelled
    for number, candidate in enumerate([spelled, {"ip": spelled}, f"{host}:8000/3", {"ip": spelled, "port": 8000}]):
        picked = call(node, "POST", "/v1/load/pick", cluster="c", request_id=f"r{number}", candidates=[candidate])
        assert picked["ip"] == form
    assert engines(node) == [(form, 1), (form, 1), (form, 2)]
    twice = {"cluster": "c", "request_id": "s", "candidates": [form, {"ip": spelled}]}
    with pytest.raises(InvalidInput, match=f"^candidates: expected each once, got '{form}' twice"):
        call(node, "POST", "/v1/load/pick", **twice)


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_a_cache_is_the_one_of_the_engine_that_is_meant(node: PartialNode, form: str, spelled: str) -> None:
    call(node, "POST", "/v1/cache/save", cluster="c", ip=spelled, prompt_hash=[1, 2])
    call(node, "POST", "/v1/cache/save", cluster="c", ip=form, prompt_hash=[1])
    query = {"cluster": "c", "prompt_hash": [1, 2]}
    assert call(node, "POST", "/v1/cache/query", **query) == {"locations": [{"ip": form, "length": 2}]}
    call(node, "DELETE", "/v1/cache", cluster="c", ip=spelled)
    assert call(node, "POST", "/v1/cache/query", **query) == {"locations": []}


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_a_peer_may_spell_engines_as_it_likes(form: str, spelled: str) -> None:
    node = Node("b@1")
    host = f"[{spelled}]:80" if ":" in spelled else f"{spelled}:80"
    name = f"[{form}]:80" if ":" in form else f"{form}:80"
    events = [
        Added("r", "c", host, 5),
        Added("s", "d", spelled, 5),
        Dropped("d", spelled),
        Saved("c", spelled, 1, (1,)),
    ]
    node.replica.take(Push(VERSION, "a@1", 1, 1, 0, events), 0.0, 1)
    assert [row.engine for row in node.ledger.rows("c")] == [name]
    assert [row.engine for row in node.ledger.rows("d")] == [form]  # it has a request
    assert node.index.query("c", (1,), 9) == [(form, 1)]
    node.replica.take(Push(VERSION, "a@1", 5, 1, 0, [CacheLost("c", spelled, 2)]), 0.0, 1)
    assert node.index.query("c", (1,), 9) == []


@pytest.mark.parametrize(("form", "spelled"), PAIRS)
def test_what_is_pulled_from_a_peer_may_be_spelled_as_it_likes(form: str, spelled: str) -> None:
    a, b = Node("a@1"), Node("b@1")
    a.add("r", ip=spelled)
    a.save((1,), ip=spelled)
    a.save((2,), ip="10.9.9.9")
    for entity in ("requests", "caches"):
        of_a, of_b = (getattr(node, entity) for node in (a, b))
        buckets = [(bucket, of_a.copies(bucket, 0.0)) for bucket in range(of_a.buckets)]
        layout = ReplicatedRequests.layout if entity == "requests" else ReplicatedCaches.layout
        state = layout.read_state(layout.write_state(State(VERSION, buckets, of_a.before(0.0))))
        assert sum(of_b.merge(state, {"a@1": 9}, {}, 0.0, 1)) > 0
    assert [row.engine for row in b.ledger.rows("c")] == [form]
    assert b.index.query("c", (1,), 9) == [(form, 1)]
    a.lose(spelled)
    whole = State(VERSION, [], a.caches.before(0.0))
    assert list(b.caches.merge(whole, {}, {}, 0.0, 1)) == []
    assert b.index.query("c", (1,), 9) == []


def test_a_copy_without_an_engine_is_refused() -> None:
    node = Node("b@1")
    with pytest.raises(InvalidInput, match=r"^ip: "):
        list(node.requests.merge(State(VERSION, [(0, [RequestCopy("r", 0, 1, "c", "")])]), {}, {}, 0.0, 1))

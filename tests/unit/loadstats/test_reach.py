# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which clusters a key may name: every call that is about one, by its name or by the record of a request."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import pytest

from edge.call import Call, Handler
from edge.caller import Caller, Scope
from edge.errors import ContractError, Forbidden
from edge.reach import check_all
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from loadstats.batch import BatchHandlers
from loadstats.engines import EngineHandlers
from loadstats.handlers import LoadHandlers
from loadstats.history import History
from loadstats.history.columns import CLUSTER_COLUMNS
from loadstats.history.handlers import HistoryHandlers
from loadstats.inspection import InspectionHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import Ledger
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.query import QueryHandlers
from loadstats.waits import Waits

ALL = frozenset(Scope)
LIMITED = Caller("key gw", ALL, ("mine-*", "shared"))
FREE = Caller("key free", ALL)


class Calls:
    """All calls on one ledger that holds `m1` in mine-1 and `t1` in theirs."""

    def __init__(self) -> None:
        clocks: Any = {"now": lambda: 100.0, "wall_ns": lambda: 7}
        self.ledger = ledger = Ledger()
        self.history = History(lambda: 100.0, lambda: 7)
        handlers = (
            LoadHandlers(ledger, **clocks),
            QueryHandlers(ledger.loads, Waits(ledger.loads.tag, most=10)),
            KeepAliveHandlers(ledger, **clocks),
            BatchHandlers(ledger, **clocks),
            EngineHandlers(ledger, **clocks),
            PickHandlers(ledger, PickOptions(), lambda: 0.0, **clocks),
            InspectionHandlers(ledger.requests, "n", now=lambda: 100.0),
            HistoryHandlers(self.history),
            CacheHandlers(CacheIndex(), **clocks),
        )
        self._handlers: dict[str, Handler] = {
            f"{route.method} {route.path}": route.handler for each in handlers for route in each.routes()
        }
        for request_id, cluster in (("m1", "mine-1"), ("t1", "theirs")):
            ledger.add(request_id, cluster, "10.0.0.1", 5, 100.0, 7, f"owner-of-{request_id}")

    def __call__(self, call: str, body: Any = None, caller: Caller | None = LIMITED, query: str = "") -> Any:
        """The answer's data, or the error that it is refused with."""
        made = Call(query.encode(), b"" if body is None else msgspec.json.encode(body), {}, caller=caller)
        try:
            return msgspec.json.decode(self._handlers[call](made))
        except ContractError as problem:
            return problem


@pytest.fixture
def calls() -> Calls:
    return Calls()


ADD = {"request_id": "new", "ip": "10.0.0.2"}
NAMING: dict[str, Callable[[str], tuple[str, Any, str]]] = {
    "add": lambda c: ("POST /v1/load/stats", ADD | {"cluster": c}, ""),
    "stats": lambda c: ("GET /v1/load/stats", None, f"cluster={c}"),
    "pick": lambda c: ("POST /v1/load/pick", {"cluster": c, "request_id": "new", "candidates": ["10.0.0.2"]}, ""),
    "drop": lambda c: ("DELETE /v1/load/engine", {"cluster": c, "ip": "10.0.0.1"}, ""),
    "save": lambda c: ("POST /v1/cache/save", {"cluster": c, "prompt_hash": [1], "ip": "10.0.0.1"}, ""),
    "query": lambda c: ("POST /v1/cache/query", {"cluster": c, "prompt_hash": [1]}, ""),
    "forget": lambda c: ("DELETE /v1/cache", {"cluster": c, "ip": "10.0.0.1"}, ""),
    "forget all": lambda c: ("DELETE /v1/cache", {"cluster": c}, ""),
}
BY_RECORD: dict[str, Callable[[str], tuple[str, Any, str]]] = {
    "first token": lambda r: ("DELETE /v1/load/prompt", {"request_id": r}, ""),
    "done": lambda r: ("DELETE /v1/load/stats", {"request_id": r}, ""),
    "done, next attempt": lambda r: ("DELETE /v1/load/stats", {"request_id": r, "attempt": 2}, ""),
    "tokens": lambda r: ("PUT /v1/load/tokens", {"request_id": r, "input_tokens": 5}, ""),
    "refresh": lambda r: ("PUT /v1/load/refresh", {"request_id": r}, ""),
    "refresh many": lambda r: ("PUT /v1/load/refresh", {"request_ids": ["m1", r]}, ""),
    "look": lambda r: ("GET /v1/load/request", None, f"request_id={r}"),
    "add, next attempt": lambda r: (
        "POST /v1/load/stats",
        {"cluster": "mine-1", "request_id": r, "ip": "10.0.0.1", "attempt": 2},
        "",
    ),
    "pick, of another cluster": lambda r: (
        "POST /v1/load/pick",
        {"cluster": "mine-1", "request_id": r, "candidates": ["10.0.0.1"]},
        "",
    ),
    "heartbeat": lambda r: ("PUT /v1/load/owner", {"owner": f"owner-of-{r}", "ttl_seconds": 5}, ""),
    "incarnation": lambda r: (
        "PUT /v1/load/owner",
        {"owner": f"owner-of-{r}", "ttl_seconds": 5, "incarnation": "2"},
        "",
    ),
}


def state(ledger: Ledger) -> Any:
    return msgspec.json.decode(ledger.loads.answer("theirs")), ledger.requests.look("t1", 100.0)


@pytest.mark.parametrize("name", NAMING)
def test_a_call_that_names_a_cluster_needs_one_of_the_keys(calls: Calls, name: str) -> None:
    before = state(calls.ledger)
    call, body, query = NAMING[name]("theirs")
    assert isinstance(refused := calls(call, body, LIMITED, query), Forbidden)
    assert "theirs" in refused.reason
    assert "mine-*, shared" in refused.reason
    assert state(calls.ledger) == before
    for caller in (FREE, None):
        assert not isinstance(Calls()(call, body, caller, query), ContractError)
    call, body, query = NAMING[name]("mine-1")
    assert not isinstance(calls(call, body, LIMITED, query), ContractError)


@pytest.mark.parametrize("name", BY_RECORD)
def test_a_call_that_names_a_request_is_checked_by_its_record(calls: Calls, name: str) -> None:
    before = state(calls.ledger)
    call, body, query = BY_RECORD[name]("t1")
    assert isinstance(refused := calls(call, body, LIMITED, query), Forbidden)
    assert state(calls.ledger) == before
    assert refused.code == 40301001
    for caller in (FREE, None):
        assert not isinstance(Calls()(call, body, caller, query), ContractError)
    call, body, query = BY_RECORD[name]("m1")
    assert not isinstance(calls(call, body, LIMITED, query), ContractError)


@pytest.mark.parametrize("name", sorted(BY_RECORD.keys() - {"look"}))
def test_unknown_ids_are_taken(calls: Calls, name: str) -> None:
    call, body, query = BY_RECORD[name]("unheard-of")
    assert not isinstance(calls(call, body, LIMITED, query), ContractError)


def test_a_call_that_was_taken_as_unknown_is_checked_once_its_add_has_come(calls: Calls) -> None:
    done = {"request_id": "late"}
    assert calls("DELETE /v1/load/prompt", done) is None
    calls("POST /v1/load/stats", {"cluster": "theirs", "request_id": "late", "ip": "10.0.0.1"}, FREE)
    assert isinstance(calls("DELETE /v1/load/stats", done), Forbidden)
    assert calls.ledger.rows("theirs")[0].queued_req_num == 2


def test_a_request_that_is_over_is_still_its_clusters(calls: Calls) -> None:
    calls("DELETE /v1/load/stats", {"request_id": "t1"}, FREE)
    assert isinstance(calls("DELETE /v1/load/stats", {"request_id": "t1", "attempt": 2}), Forbidden)
    assert isinstance(calls("GET /v1/load/request", query="request_id=t1"), Forbidden)


def test_the_list_of_clusters_is_that_of_the_keys_page_by_page(calls: Calls) -> None:
    for number in range(30):
        for name in (f"a-{number:02}", f"mine-{number:02}", f"z-{number:02}"):
            calls.ledger.add(f"{name}-r", name, "10.0.0.1", 0, 100.0, 7)
    calls.ledger.add("s", "shared", "10.0.0.1", 0, 100.0, 7)
    mine = sorted(["mine-1", "shared", *(f"mine-{number:02}" for number in range(30))])

    def page(after: str, limit: int, caller: Caller | None = LIMITED) -> list[str]:
        found = calls("GET /v1/load/clusters", None, caller, f"after={after}&limit={limit}")
        return [row["cluster"] for row in found]

    assert page("", 1000) == mine
    walked: list[str] = []
    while part := page(walked[-1] if walked else "", 7):
        assert len(part) <= 7
        walked += part
    assert walked == mine
    assert len(page("", 1000, None)) == len(page("", 1000, FREE)) == 93
    assert page("", 1000, Caller("key none", ALL, ("other",))) == []


def test_each_operation_of_a_batch_is_checked(calls: Calls) -> None:
    before = state(calls.ledger)
    theirs = [
        {"op": "add", "cluster": "theirs", **ADD},
        {"op": "add", "cluster": "mine-1", "request_id": "t1", "ip": "10.0.0.1", "attempt": 2},
        *({"op": op, "request_id": "t1"} for op in ("prompt", "delete", "tokens", "refresh")),
        {"op": "drop", "cluster": "theirs", "ip": "10.0.0.1"},
    ]
    mine = [
        {"op": "add", "cluster": "mine-2", **ADD},
        *({"op": op, "request_id": "m1"} for op in ("prompt", "tokens", "refresh", "delete")),
        {"op": "delete", "request_id": "unheard-of"},
        {"op": "drop", "cluster": "mine-2", "ip": "10.0.0.2"},
    ]
    for broken in ([], [5]):  # with one that cannot be read, each is read by itself
        answers = calls("POST /v1/load/batch", {"ops": [*theirs, *broken]})
        assert {each["code"] for each in answers[: len(theirs)]} == {40301001}
        assert state(calls.ledger) == before
    answers = calls("POST /v1/load/batch", {"ops": [*mine, *theirs]})
    assert [each["code"] for each in answers] == [200] * len(mine) + [40301001] * len(theirs)


@pytest.mark.parametrize("broken", [[], [5]])
@pytest.mark.parametrize(
    ("scopes", "codes"),
    [
        ({Scope.WRITE}, [200, 200, 200, 200, 200, 40301001]),
        ({Scope.OPERATE}, [40301001, 40301001, 40301001, 40301001, 40301001, 200]),
        ({Scope.WRITE, Scope.OPERATE}, [200] * 6),
        ({Scope.READ}, [40301001] * 6),
    ],
)
def test_each_operation_of_a_batch_needs_its_scope(
    calls: Calls, scopes: set[Scope], codes: list[int], broken: list[Any]
) -> None:
    operations = [
        {"op": "add", "cluster": "c", **ADD},
        *({"op": op, "request_id": "new"} for op in ("prompt", "tokens", "refresh", "delete")),
        {"op": "drop", "cluster": "theirs", "ip": "10.0.0.1"},
    ]
    answers = calls("POST /v1/load/batch", {"ops": [*operations, *broken]}, Caller("key gw", frozenset(scopes)))
    assert [each["code"] for each in answers[:6]] == codes


@pytest.mark.parametrize(("client", "code"), [("127.0.0.1", 200), ("10.9.9.9", 40101001)])
def test_a_strangers_batch_may_drop_only_from_this_machine(client: str, code: int) -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 100.0, 7)
    body = msgspec.json.encode(
        {"ops": [{"op": "add", "cluster": "c", **ADD}, {"op": "drop", "cluster": "c", "ip": "10.0.0.1"}]}
    )
    handlers = BatchHandlers(ledger, now=lambda: 100.0, wall_ns=lambda: 7)
    answers = msgspec.json.decode(whole(handlers.batch(Call(b"", body, {}, client=client))))
    assert [each["code"] for each in answers] == [200, code]


def test_the_drops_of_a_batch_are_for_the_audit_trail_and_nothing_else_of_it() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 100.0, 7)
    drop = {"op": "drop", "cluster": "c", "ip": "10.0.0.1"}
    body = msgspec.json.encode({"ops": [{"op": "add", "cluster": "c", **ADD}, drop, drop]})
    handlers = BatchHandlers(ledger, now=lambda: 100.0, wall_ns=lambda: 7)
    call = Call(b"", body, {}, caller=FREE)
    whole(handlers.batch(call))
    assert list(call.acts) == [drop | {"port": None, "dp_rank": None, "all": False}]  # the second found nothing


@pytest.mark.parametrize("broken", [[], [{"op": "add"}]], ids=["read whole", "read one by one"])
def test_refused_operations_of_a_batch_are_for_the_audit_trail_by_number_and_some_by_name(broken: list[Any]) -> None:
    drop = {"op": "drop", "cluster": "mine-1", "ip": "10.0.0.1"}
    add = {"op": "add", **ADD, "cluster": "theirs"}
    handlers = BatchHandlers(Ledger(), now=lambda: 100.0, wall_ns=lambda: 7)
    caller = Caller("key gw", frozenset({Scope.WRITE}), ("mine-*",))
    mine = {"op": "add", **ADD, "cluster": "mine-1"}
    call = Call(b"", msgspec.json.encode({"ops": [mine, *broken]}), {}, caller=caller)
    whole(handlers.batch(call))
    assert call.refused is None  # what is wrong is no attempt
    call = Call(b"", msgspec.json.encode({"ops": [drop, add, *[drop] * 5000, *broken]}), {}, caller=caller)
    whole(handlers.batch(call))
    assert call.refused is not None
    assert (call.refused.count, len(call.refused.first)) == (5002, 10)
    first, second = call.refused.first[:2]
    assert first == {**drop, "reason": first["reason"]}
    assert "lacks the scope operate" in str(first["reason"])
    assert second == {**add, "reason": second["reason"]}
    assert "not one of key gw's clusters" in str(second["reason"])
    assert not call.acts


def whole(work: Generator[None, None, bytes]) -> bytes:
    while True:
        try:
            next(work)
        except StopIteration as done:
            return bytes(done.value)


def test_what_is_about_all_clusters_is_for_keys_without_a_limit() -> None:
    check_all(FREE, "the summary")
    with pytest.raises(Forbidden, match=r"^the summary is about all clusters, and key gw may name only mine-\*"):
        check_all(LIMITED, "the summary")


@pytest.mark.parametrize(
    ("glob", "cluster", "may"),
    [
        ("*", "anything at all", True),
        ("prod-*", "prod-", True),
        ("prod-*", "Prod-1", False),
        ("prod-?", "prod-1", True),
        ("prod-?", "prod-12", False),
        ("prod-[ab]", "prod-a", True),
        ("a.b", "axb", False),
        ("a*b", "a/\nb", True),
    ],
)
def test_globs_are_those_of_shells_and_exact_in_case(glob: str, cluster: str, may: bool) -> None:
    assert Caller("key gw", ALL, (glob,)).may_name(cluster) is may


def test_the_history_is_that_of_the_keys_clusters(calls: Calls) -> None:
    assert isinstance(calls("GET /v1/load/history", query="cluster=theirs"), Forbidden)
    assert set(calls("GET /v1/load/history", query="cluster=mine-1")) == {"step_seconds", "end_ns", "series"}
    for name, requests in (("mine-1", 2), ("theirs", 5)):
        kept = calls.history.open(name)
        assert kept is not None
        kept.series.put(10, array("f", [requests] * len(CLUSTER_COLUMNS)))
        calls.history.total.put(10, array("f", [7] * len(CLUSTER_COLUMNS)))
    calls.history.latest = 10

    def last(caller: Caller | None) -> float | None:
        return calls("GET /v1/load/history", None, caller)["series"]["queued_req_num"][-1]

    assert last(LIMITED) == 2
    assert last(None) == last(FREE) == 7
    assert last(Caller("key none", ALL, ("other",))) is None

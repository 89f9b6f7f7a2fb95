# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail: what the dispatcher writes down by itself, how a line looks, and what bounds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from edge.audit import LONGEST_NAME, LONGEST_WHAT, MOST_ACTS, Audit, AuditLine, as_json
from edge.call import AsyncHandler, Call, RefusedParts, Route, Table
from edge.caller import Caller, Scope
from edge.dispatcher import Dispatcher
from edge.doors import Doors
from edge.envelope import TraceIds
from edge.errors import Forbidden, InvalidInput, TooMany, Unavailable
from edge.key_table import NoKeys
from runtime.logs.formats import JsonLineFormatter, TextFormatter


class Kept:
    def __init__(self) -> None:
        self.lines: list[AuditLine] = []

    def put(self, line: AuditLine) -> None:
        self.lines.append(line)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def audit(kept: Kept) -> Audit:
    return Audit(kept, clock=lambda: 1.5, now=lambda: 100.0)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What reaches the log's handler, with the log at FATAL."""
    found: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    root, handler = logging.getLogger(), Handler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.CRITICAL)
    yield found
    root.setLevel(level)
    root.removeHandler(handler)


OPERATOR = Caller("key ops", frozenset(Scope))


def call(body: bytes = b"", query: bytes = b"", caller: Caller | None = OPERATOR, **headers: bytes) -> Call:
    fields = {name.encode().replace(b"_", b"-"): value for name, value in headers.items()}
    return Call(query, body, fields, client="10.0.0.7", caller=caller)


def raising(problem: Exception):  # type: ignore[no-untyped-def]
    def handler(call: Call) -> bytes:
        raise problem

    return handler


def served(audit: Audit, route: Route, call: Call, *, awaited: bool) -> int:
    dispatcher = Dispatcher(Table([route]), TraceIds(1), audit=audit)
    if awaited:
        handler = route.handler

        async def later(call: Call) -> bytes:
            return handler(call)

        return asyncio.run(dispatcher.serve_async(AsyncHandler(later), route, call, b"t-1"))[0]
    return dispatcher.serve(route, call, b"t-1")[0]


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("scope", [None, *Scope])
def test_each_200_of_a_route_that_changes_the_node_is_written_down_and_no_other(
    audit: Audit, kept: Kept, scope: Scope | None, awaited: bool
) -> None:
    route = Route("POST", "/new", lambda call: b'{"ended":3}', scope=scope)
    assert served(audit, route, call(b'{"ip":"10.0.0.1"}', b"a=b"), awaited=awaited) == 200
    if scope is not Scope.OPERATE:
        assert kept.lines == []
        return
    (line,) = kept.lines
    assert line.act == "POST /new"
    assert (line.time, line.outcome, line.who, line.client) == (1.5, "done", "key ops", "10.0.0.7")
    assert msgspec.json.decode(line.what) == {
        "trace_id": "t-1",
        "query": "a=b",
        "body": {"ip": "10.0.0.1"},
        "answer": {"ended": 3},
    }


def test_a_route_that_says_no_scope_is_written_down(audit: Audit, kept: Kept) -> None:
    served(audit, Route("POST", "/forgotten", lambda call: b"null"), call(), awaited=False)
    assert [line.act for line in kept.lines] == ["POST /forgotten"]


@pytest.mark.parametrize("awaited", [False, True])
def test_acts_inside_a_call_of_another_scope_are_written_down(audit: Audit, kept: Kept, awaited: bool) -> None:
    def batch(call: Call) -> bytes:
        call.acts = [{"op": "drop", "ip": "10.0.0.1"}]
        return b"[]"

    served(audit, Route("POST", "/batch", batch, scope=Scope.WRITE), call(), awaited=awaited)
    (line,) = kept.lines
    assert msgspec.json.decode(line.what)["acts"] == [{"op": "drop", "ip": "10.0.0.1"}]


@pytest.mark.parametrize("awaited", [False, True])
def test_parts_of_a_call_that_were_refused_are_one_line(audit: Audit, kept: Kept, awaited: bool) -> None:
    def batch(call: Call) -> bytes:
        call.refused = RefusedParts(9000, [{"op": "drop", "reason": "no"}])
        return b"[]"

    route = Route("POST", "/batch", batch, scope=Scope.WRITE)
    assert served(audit, route, call(), awaited=awaited) == 200
    (line,) = kept.lines
    assert (line.act, line.outcome, line.who) == ("POST /batch", "refused", "key ops")
    what = msgspec.json.decode(line.what)
    assert (what["refused"], what["first"]) == (9000, [{"op": "drop", "reason": "no"}])


@pytest.mark.parametrize("scope", [Scope.OPERATE, Scope.WRITE])
def test_a_key_that_lacks_the_scope_is_named_also_where_the_call_may_hold_acts(
    audit: Audit, kept: Kept, scope: Scope
) -> None:
    class Keys(NoKeys):
        def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
            return Caller("key reader", frozenset({Scope.READ}))

    route = Route("POST", "/new", lambda call: b"null", scope=scope, part_scopes=frozenset({Scope.OPERATE}))
    dispatcher = Dispatcher(Table([route]), TraceIds(1), audit=audit, doors=Doors(Keys()))
    asked = Call(b"", b"{}", {b"x-api-key": b"k"}, client="10.0.0.7")
    assert dispatcher.serve(route, asked, b"t")[0] == 403
    assert [(line.act, line.outcome, line.who) for line in kept.lines] == [("POST /new", "refused", "key reader")]


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [(Forbidden("no"), "refused"), (InvalidInput("x"), None), (TooMany("x"), None), (Unavailable("x"), None)],
)
def test_attempts_without_the_right_are_written_down_and_mistakes_are_not(
    audit: Audit, kept: Kept, problem: Exception, outcome: str | None
) -> None:
    served(audit, Route("POST", "/new", raising(problem)), call(), awaited=False)
    assert [line.outcome for line in kept.lines] == ([outcome] if outcome else [])
    served(audit, Route("POST", "/read", raising(problem), scope=Scope.READ), call(), awaited=False)
    assert all(line.act != "POST /read" for line in kept.lines)


@pytest.mark.parametrize("awaited", [False, True])
def test_a_stranger_that_the_doors_keep_out_is_written_down(audit: Audit, kept: Kept, awaited: bool) -> None:
    route = Route("POST", "/new", lambda call: b"null")
    assert served(audit, route, call(b"{}", caller=None), awaited=awaited) == 401
    assert [(line.outcome, line.who) for line in kept.lines] == [("refused", "address 10.0.0.7")]


def test_an_act_that_goes_wrong_is_written_down_as_failed(audit: Audit, kept: Kept) -> None:
    assert served(audit, Route("POST", "/new", raising(ZeroDivisionError())), call(), awaited=False) == 500
    assert [(line.outcome, line.who) for line in kept.lines] == [("failed", "key ops")]


def test_what_a_proxy_says_of_the_client_is_kept_apart_from_what_is_known(audit: Audit, kept: Kept) -> None:
    served(audit, Route("POST", "/new", lambda call: b"null"), call(x_forwarded_for=b"1.2.3.4"), awaited=False)
    (line,) = kept.lines
    assert line.client == "10.0.0.7"
    assert msgspec.json.decode(line.what)["forwarded_for"] == "1.2.3.4"


def test_the_log_has_each_line_whatever_its_level(audit: Audit, records: list[logging.LogRecord]) -> None:
    audit.record("drop", "user anna", "10.0.0.7", {"cluster": "c\nd"})
    (record,) = records
    text = TextFormatter().format(record).partition(" ")[2]
    assert text == r'INFO audit done "drop" who="user anna" client=10.0.0.7 what={"cluster":"c\\nd"}'
    line = msgspec.json.decode(JsonLineFormatter().format(record))
    assert line["logger"] == "audit"
    found = {name: line[name] for name in ("act", "outcome", "who", "client", "what")}
    assert found == {
        "act": "drop",
        "outcome": "done",
        "who": "user anna",
        "client": "10.0.0.7",
        "what": {"cluster": r"c\nd"},
    }


HOSTILE = [
    "\n\x1b[0m\u2028",
    "\ud800",
    "\x00",
    "x" * 100_000,
    {"a": {"b": {"c": {"d": {"e": 1}}}}},
    list(range(10_000)),
]


@pytest.mark.parametrize("value", [*HOSTILE, 2**80, float("nan"), None, b"\xff", {1: {2, 3}}])
def test_a_line_is_bounded_json_of_printable_text_for_any_value(audit: Audit, kept: Kept, value: object) -> None:
    name = value if isinstance(value, str) else "n"
    audit.record(name, name, name, {name: value, "all": [value] * 100})
    (line,) = kept.lines
    assert len(line.what) <= LONGEST_WHAT
    assert line.what.isprintable()
    assert "\\u0000" not in line.what
    msgspec.json.decode(line.what)
    for text in (line.act, line.who, line.client):
        assert len(text) <= 2 * LONGEST_NAME
        assert text.isprintable()


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 5000, b"{" + b" " * 1_000_000, b'"\\ud800"', b"1" * 5000])
def test_any_body_can_be_written_down(audit: Audit, kept: Kept, body: bytes) -> None:
    assert served(audit, Route("POST", "/new", lambda call: b"null"), call(body), awaited=False) == 200
    assert len(kept.lines) == 1


def test_long_lists_say_how_much_is_left_out() -> None:
    assert msgspec.json.decode(as_json({"ids": list(range(70))}))["ids"][-1] == "and 6 more"
    assert msgspec.json.decode(as_json({str(n): n for n in range(70)}))["more"] == 6


def test_a_flood_of_refused_attempts_is_counted_and_not_written_down() -> None:
    kept, now = Kept(), [0.0]
    audit = Audit(kept, now=lambda: now[0])
    for _ in range(10_000):
        audit.refused("drop", "address 10.0.0.66", "10.0.0.66", {})
    assert len(kept.lines) == 10
    audit.refused("drop", "address 10.0.0.7", "10.0.0.7", {})
    assert kept.lines[-1].client == "10.0.0.7"
    assert msgspec.json.decode(kept.lines[-1].what) == {"unwritten": 9990}
    for number in range(5000):
        audit.refused("drop", "x", f"10.1.{number // 256}.{number % 256}", {})
    assert len(kept.lines) <= 100
    assert audit.counts() == {("drop", "refused"): 15_001}
    now[0] = 3600.0
    audit.refused("drop", "address 10.0.0.66", "10.0.0.66", {})
    assert kept.lines[-1].client == "10.0.0.66"


def test_the_counts_have_a_bounded_number_of_names(audit: Audit) -> None:
    for number in range(3 * MOST_ACTS):
        audit.record(f"act {number}", "w", "", {})
        audit.refused(f"act {number}", "w", "", {})
    counts = audit.counts()
    assert len(counts) <= MOST_ACTS + 3
    assert sum(counts.values()) == 6 * MOST_ACTS

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane remembers of a head's key: never more than the keys of now grant. The real table, on raw bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from hashlib import sha256
from itertools import product
from sys import getrefcount
from typing import Any

import msgspec
import pytest

from access.grant import Grant, grant
from access.key_ring import KeyRing
from edge.call import Call, Route
from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.errors import ContractError
from edge.head_key import HeadKey
from edge.key_table import KnownKey
from tests.unit.edge.lanes import Answer, Server, add, answers, get, post

NOW = 1_000_000.0
ONE, TWO = b"X-API-Key: one", b"X-API-Key: two"


def made(name: str, key: str, *scopes: str, **more: Any) -> Grant:
    return grant(name, sha256(key.encode()).digest(), scopes or ("read", "write"), **more)


def who(call: Call) -> bytes:
    """Answers who calls."""
    return msgspec.json.encode(call.caller.name if call.caller else "a stranger")


WHO = Route("POST", "/who", who, scope=Scope.WRITE)
OPERATE = Route("POST", "/operate", who, scope=Scope.OPERATE)
PARTS = Route("POST", "/parts", who, scope=Scope.WRITE, part_scopes=frozenset({Scope.OPERATE}))


def asks(*headers: bytes, path: bytes = b"/who") -> bytes:
    return post(b"{}", *headers, path=path)


class Node:
    """A server with the real table of keys, at a time that a test sets. Counts the calls that the doors looked at."""

    def __init__(self, *grants: Grant, required: bool = False) -> None:
        self.now = NOW
        self.admitted = 0
        self.ring = KeyRing(now=lambda: self.now)
        self.ring.add_source("file")
        self.ring.replace("file", grants)
        node = self

        class CountingDoors(Doors):
            def admit(self, route: Route, call: Call) -> None:
                node.admitted += 1
                super().admit(route, call)

        self.server = Server(routes=[WHO, OPERATE, PARTS])
        self.server.dispatcher.doors = CountingDoors(self.ring, required=required)
        self.lane, self.transport = self.server.connect("203.0.113.9")

    def replace(self, *grants: Grant) -> None:
        self.ring.replace("file", grants)

    async def ask(self, *requests: bytes) -> list[Answer]:
        """Send the requests one after the other on the same connection. Returns their answers."""
        self.transport.written = b""
        for each in requests:
            self.lane.data_received(each)
            await self.server.settle()
        return answers(self.transport.written)

    async def names(self, *requests: bytes) -> list[Any]:
        """Return who called, as the calls were answered, or the status of a refusal."""
        return [each.data if each.status == 200 else each.status for each in await self.ask(*requests)]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_key_that_holds_is_let_in_without_the_doors_and_one_that_does_not_asks_them_each_time() -> None:
    async def test() -> None:
        node = Node(made("a", "one"))
        assert await node.names(*[asks(ONE)] * 4) == ["key a"] * 4
        assert node.admitted == 0
        assert await node.names(*[asks(TWO)] * 4) == ["a stranger"] * 4
        assert node.admitted == 4

    run(test())


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        ([], 401),
        ([made("a", "another")], 401),
        ([made("a", "one", "read")], 403),
        ([made("a", "one", "read", "write")], "key a"),
        ([made("b", "one")], "key b"),
        ([made("a", "one"), made("b", "two")], "key a"),
        ([made("a", "one", expires=NOW)], 401),
        ([made("a", "one", expires=NOW + 1)], "key a"),
    ],
)
def test_a_head_that_is_remembered_grants_what_the_keys_of_now_grant(after: list[Grant], answer: object) -> None:
    async def test() -> None:
        node = Node(made("a", "one"), required=True)
        assert await node.names(asks(ONE), asks(ONE)) == ["key a"] * 2
        node.replace(*after)
        assert await node.names(asks(ONE), asks(ONE)) == [answer] * 2
        node.replace(made("a", "one"))
        assert await node.names(asks(ONE), asks(ONE)) == ["key a"] * 2

    run(test())


def test_clusters_that_are_taken_from_a_key_are_refused_from_the_next_call_on() -> None:
    async def test() -> None:
        node = Node(made("a", "one"))
        asked = (add(1, ONE), get(b"c", ONE))
        assert [each.status for each in await node.ask(*asked, *asked)] == [200] * 4
        node.replace(made("a", "one", clusters=("prod-*",)))
        assert [each.status for each in await node.ask(*asked, *asked)] == [403] * 4
        node.replace(made("a", "one", clusters=("c*",)))
        assert [each.status for each in await node.ask(*asked, *asked)] == [200] * 4

    run(test())


def test_a_key_expires_at_its_moment_and_is_back_where_the_clock_goes_back() -> None:
    async def test() -> None:
        node = Node(made("a", "one", expires=NOW + 10), required=True)
        assert await node.names(asks(ONE), asks(ONE)) == ["key a"] * 2
        node.now = NOW + 9.999
        assert await node.names(asks(ONE)) == ["key a"]
        node.now = NOW + 10
        assert await node.names(asks(ONE), asks(ONE)) == [401, 401]
        node.now = NOW
        assert await node.names(asks(ONE)) == ["key a"]

    run(test())


def test_keys_that_come_to_an_empty_table_hold_for_heads_that_were_remembered_before() -> None:
    async def test() -> None:
        node = Node(required=True)
        assert await node.names(asks(ONE), asks(ONE)) == [401, 401]
        node.replace(made("a", "one"))
        assert await node.names(asks(ONE), asks(ONE)) == ["key a"] * 2

    run(test())


def test_one_connection_may_alternate_keys_and_each_call_is_of_its_own() -> None:
    async def test() -> None:
        node = Node(made("a", "one"), made("b", "two"))
        asked = [asks(ONE), asks(TWO), asks(), asks(b"Authorization: Bearer one")]
        expected = ["key a", "key b", "a stranger", "key a"]
        assert await node.names(*asked, *asked, *asked) == expected * 3
        clients = {each.client: each.calls for each in node.server.lanes.quotas.accounts()}
        assert clients.keys() == {"key a", "key b", "203.0.113.9"}

    run(test())


def test_what_one_connection_taught_holds_for_another_and_ends_for_it_too() -> None:
    async def test() -> None:
        node = Node(made("a", "one"), required=True)
        assert await node.names(asks(ONE)) == ["key a"]
        found = answers((await node.server.speak(asks(ONE), asks(ONE))).written)
        assert [each.data for each in found] == ["key a"] * 2
        assert node.server.lanes.heads.known
        node.replace()
        found = answers((await node.server.speak(asks(ONE), asks(ONE))).written)
        assert [each.status for each in found] == [401] * 2

    run(test())


def test_each_call_with_a_remembered_head_counts_as_a_use_of_the_key() -> None:
    async def test() -> None:
        key = made("a", "one")
        node = Node(key)
        for _ in range(3):
            await node.names(asks(ONE))
            assert key.used
            key.used = False  # as the source does that has written it down

    run(test())


def test_a_remembered_head_says_nothing_of_another_route() -> None:
    async def test() -> None:
        node = Node(made("a", "one", "write"))
        operate, parts = asks(ONE, path=b"/operate"), asks(ONE, path=b"/parts")
        assert await node.names(asks(ONE), operate, parts, asks(ONE), operate, parts) == ["key a", 403, "key a"] * 2
        node.replace(made("a", "one", "operate"))
        assert await node.names(asks(ONE), operate, parts, asks(ONE), operate, parts) == [403, "key a", "key a"] * 2

    run(test())


def test_a_refused_key_is_refused_in_the_same_words_each_time(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        node = Node(made("a", "one", "read"))
        with caplog.at_level(logging.WARNING, "edge.doors"):
            found = await node.ask(asks(ONE), asks(ONE), asks(ONE))
        assert {each.code for each in found} == {40301001}
        assert {msgspec.json.decode(each.body)["error"]["reason"] for each in found} == {"key a lacks the scope write"}
        assert len(caplog.messages) == 1

    run(test())


def test_of_two_keys_in_a_head_the_first_that_holds_counts_as_it_does_without_memory() -> None:
    async def test() -> None:
        both = asks(b"Authorization: Bearer one", TWO)
        node = Node(made("b", "two"))
        assert await node.names(both, both) == ["key b"] * 2
        node.replace(made("a", "one", expires=NOW + 10), made("b", "two"))
        assert await node.names(both, both) == ["key a"] * 2
        node.now = NOW + 10
        assert await node.names(both, both) == ["key b"] * 2
        node.now = NOW
        assert await node.names(both, both) == ["key a"] * 2

    run(test())


def test_a_fault_of_the_head_weighs_more_than_its_key() -> None:
    async def test() -> None:
        node = Node(made("a", "one"))
        evil = asks(ONE, b"Origin: http://evil.example")
        assert await node.names(evil, evil, asks(ONE)) == [403, 403, "key a"]

    run(test())


def let_in(key: HeadKey) -> Caller | None:
    """Return whom a key lets in."""
    call = Call(b"", b"", {})
    return call.caller if key.let_in(call) else None


class ChangingKeys:
    """Keys that are replaced once, in the middle of a look-up."""

    def __init__(self, before: Grant, after: Grant) -> None:
        self.generation: object = "before"
        self._known = before
        self._after = after

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        return self._known.caller

    def first_known(self, headers: Mapping[bytes, bytes]) -> KnownKey | None:
        found, self._known, self.generation = self._known, self._after, "after"
        return found

    def now(self) -> float:
        return NOW


def test_keys_that_change_while_they_are_looked_up_are_looked_up_again() -> None:
    before, after = made("a", "one"), made("b", "one")
    key = HeadKey(ChangingKeys(before, after), WHO, {})
    assert let_in(key) is before.caller  # the call came before the change
    assert [let_in(key), let_in(key)] == [after.caller] * 2


SETS = [
    [],
    [made("a", "one")],
    [made("a", "one", "read"), made("b", "two", "write")],
    [made("a", "one", "operate"), made("b", "two", clusters=("x",))],
    [made("a", "one", expires=NOW + 5), made("b", "two", "read", "operate")],
]
HEADERS: list[dict[bytes, bytes]] = [
    {b"x-api-key": b"one"},
    {b"authorization": b"Bearer two"},
    {b"authorization": b"Bearer one", b"x-api-key": b"two"},
    {b"authorization": b"Bearer proxys", b"x-api-key": b"one"},
    {b"authorization": b"Basic x", b"x-api-key": b"none"},
]


@pytest.mark.parametrize("route", [WHO, OPERATE, PARTS])
@pytest.mark.parametrize("headers", HEADERS)
def test_whoever_it_lets_in_the_doors_would_let_in_as_the_same(route: Route, headers: dict[bytes, bytes]) -> None:
    now = NOW
    ring = KeyRing(now=lambda: now)
    doors = Doors(ring, required=True)
    key = doors.head_key(route, headers)
    assert key is not None
    for first, second, later in product(SETS, SETS, (0.0, 5.0)):
        for grants in (first, second):
            ring.replace("file", grants)
            for now in (NOW, NOW + later, NOW):  # noqa: B007 the ring reads it
                call = Call(b"", b"", headers)
                try:
                    doors.admit(route, call)
                except ContractError:
                    assert let_in(key) is None
                else:
                    assert let_in(key) in (None, call.caller)


@pytest.mark.parametrize("headers", [{}, {b"authorization": b"Basic x"}, {b"cookie": b"sessionid=x"}])
def test_a_head_without_a_key_has_none_to_remember(headers: dict[bytes, bytes]) -> None:
    doors = Doors(KeyRing())
    assert doors.head_key(WHO, headers) is None
    assert doors.head_key(Route("GET", "/livez", who, scope=None), {b"x-api-key": b"one"}) is None


def test_what_is_remembered_of_a_head_keeps_no_table_of_keys_alive() -> None:
    ring, other = KeyRing(), made("b", "two")
    alone = getrefcount(other)
    ring.replace("file", [made("a", "one"), other])
    key = Doors(ring).head_key(WHO, {b"x-api-key": b"one"})
    assert key is not None
    assert let_in(key) is not None
    assert getrefcount(other) > alone
    ring.replace("file", [])
    assert getrefcount(other) == alone

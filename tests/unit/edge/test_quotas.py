# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane and its server do with a client that takes too much, and with the others beside it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from edge.call import Route
from edge.caller import Caller, Scope
from edge.key_table import NoKeys
from edge.lane import Lane
from edge.quotas import PAUSE_NS, SHARE_NS, Quotas
from runtime.config.schema import QuotasSettings
from tests.unit.edge.lanes import Answer, Server, Transport, answers, get, page

LIMIT = 20
ATTACKER, HONEST = "10.0.0.66", "10.0.0.1"


class Clock:
    """Nanoseconds that the test sets."""

    def __init__(self) -> None:
        self.ns = 1

    def __call__(self) -> int:
        return self.ns


class Line(Transport):
    """A connection of an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def get_extra_info(self, name: str) -> Any:
        return {"sockname": ("127.0.0.1", 8080), "peername": (self.address, 50000)}.get(name)

    @property
    def seen(self) -> list[Answer]:
        """What was answered since the last look."""
        found = answers(self.written)
        self.written = b""
        return found


class Limited(Server):
    """Lanes of a server whose clients may make so many calls."""

    def __init__(self, calls: int = LIMIT, **settings: Any) -> None:
        self.clock = Clock()
        always = Route("GET", "/probe", lambda call: b"1", scope=None)
        peers = Route("GET", "/peers", lambda call: b"1", internal=True, scope=Scope.READ)
        super().__init__(routes=[always, peers])
        quotas = Quotas(QuotasSettings(calls_per_second=calls, **settings), clock=self.clock)
        self.dispatcher.quotas = self.lanes.quotas = self.quotas = quotas

    def line(self, address: str) -> tuple[Any, Line]:
        """A new connection."""
        transport: Any = Line(address)
        lane = Lane(self.config, self.state, {}, asyncio.get_running_loop(), shared=self.lanes)
        lane.connection_made(transport)
        lane.data_received(get())  # its head is known from now on
        return lane, transport

    async def wait(self) -> None:
        """Let a pause pass."""
        self.clock.ns += PAUSE_NS
        self.quotas.sweep()
        await self.settle()


def test_a_client_over_its_limit_is_answered_once_and_not_read_for_a_second() -> None:
    async def run() -> None:
        server = Limited()
        lane, line = server.line(ATTACKER)
        for _ in range(LIMIT - 1):
            lane.data_received(get())
        assert [each.status for each in line.seen] == [200] * LIMIT
        assert not line.reading_paused
        lane.data_received(get())
        (refusal,) = line.seen
        assert (refusal.status, refusal.code, refusal.headers["retry-after"]) == (429, 42901000, "1")
        assert b"[Quotas] CallsPerSecond" in refusal.body
        assert line.reading_paused
        for _ in range(50):  # what came in already is not answered either
            lane.data_received(get())
        await server.settle()
        assert line.seen == []
        await server.wait()
        assert {each.status for each in line.seen} == {200, 429}
        assert server.quotas.calls_refused == 2

    asyncio.run(run())


def test_another_client_is_not_concerned() -> None:
    async def run() -> None:
        server = Limited()
        attacker, first = server.line(ATTACKER)
        honest, second = server.line(HONEST)
        for _ in range(10 * LIMIT):
            attacker.data_received(get())
        for _ in range(LIMIT - 1):
            honest.data_received(get())
        assert [each.status for each in second.seen] == [200] * LIMIT
        assert first.reading_paused
        assert not second.reading_paused

    asyncio.run(run())


def test_all_connections_of_a_client_share_its_limit_and_closing_one_frees_nothing() -> None:
    async def run() -> None:
        server = Limited()
        statuses = []
        for _ in range(2 * LIMIT):
            lane, line = server.line(ATTACKER)
            statuses += [each.status for each in line.seen]
            lane.connection_lost(None)
        assert statuses == [200] * LIMIT + [429] * LIMIT
        assert len(server.quotas.accounts()) == 1
        server.clock.ns += 2 * PAUSE_NS
        server.quotas.sweep()
        server.quotas.sweep()
        assert server.quotas.accounts() == []

    asyncio.run(run())


@pytest.mark.parametrize("request_", [page(b"/nope"), page(b"/nope", body=b"x" * 100)])
def test_pages_count_and_are_refused_without_being_made(request_: bytes) -> None:
    async def run() -> None:
        server = Limited()
        lane, line = server.line(ATTACKER)
        for _ in range(LIMIT - 1):
            lane.data_received(request_)
            await server.settle()
        made = len(server.pages.seen)
        line.written = b""
        lane.data_received(request_)
        await server.settle()
        assert [each.status for each in line.seen] == [429]
        assert len(server.pages.seen) == made == LIMIT - 1
        assert line.reading_paused
        await server.wait()
        lane.data_received(request_)
        await server.settle()
        assert [each.status for each in line.seen] == [200]

    asyncio.run(run())


def test_what_is_always_open_is_answered_beyond_the_limit_and_then_waits() -> None:
    async def run() -> None:
        server = Limited()
        lane, line = server.line(ATTACKER)
        for _ in range(LIMIT - 1):
            lane.data_received(get())
        probe = b"GET /probe HTTP/1.1\r\nHost: node\r\n\r\n"
        lane.data_received(probe)
        assert {each.status for each in line.seen} == {200}
        assert line.reading_paused
        lane.data_received(probe)
        await server.settle()
        assert line.seen == []
        await server.wait()
        assert [each.status for each in line.seen] == [200]

    asyncio.run(run())


def test_calls_of_peers_that_are_let_in_are_not_counted() -> None:
    async def run() -> None:
        server = Limited()
        lane, line = server.line(ATTACKER)
        for _ in range(5 * LIMIT):
            lane.data_received(b"GET /peers HTTP/1.1\r\nHost: node\r\n\r\n")
        lane.data_received(get())
        assert {each.status for each in line.seen} == {200}

    asyncio.run(run())


def test_calls_with_a_key_are_the_keys_wherever_they_come_from() -> None:
    async def run() -> None:
        server = Limited()
        key = Caller("key gateway", frozenset({Scope.READ}))
        server.dispatcher.doors.keys = type("Keys", (NoKeys,), {"find": lambda self, headers: key})()
        request = get(b"c", b"X-API-Key: k")
        lines = []
        for address in (ATTACKER, HONEST):
            lane, line = server.line(address)
            lane.data_received(request)
            lines.append((lane, line))
        assert {each.status for _, line in lines for each in line.seen} == {200}
        assert server.quotas.connections.held("key gateway") == 2
        assert server.quotas.connections.held(ATTACKER) == 0
        for lane, _ in lines * LIMIT:
            lane.data_received(request)
        assert all(any(each.status == 429 for each in line.seen) for _, line in lines)
        for lane, _ in lines:
            lane.connection_lost(None)
        assert server.quotas.connections.total == 0

    asyncio.run(run())


def test_a_client_that_had_its_share_of_a_turn_waits_for_the_next() -> None:
    async def run() -> None:
        server = Limited(calls=100_000)
        server.line(HONEST)
        lanes = [server.line(ATTACKER) for _ in range(100)]
        for _, line in lanes:
            line.written = b""
        for lane, _ in lanes:  # one turn of the loop, in which each call takes its time
            lane.data_received(get())
            server.clock.ns += SHARE_NS // 20
        answered = sum(bool(line.written) for _, line in lanes)
        assert answered < len(lanes) / 2
        assert sum(line.reading_paused for _, line in lanes) == len(lanes) - answered
        _, line = server.line(HONEST)
        assert line.written  # at once
        await server.settle()
        assert all([each.status for each in line.seen] == [200] for _, line in lanes)
        assert not any(line.reading_paused for _, line in lanes)

    asyncio.run(run())


def test_a_client_alone_has_the_node_for_itself() -> None:
    async def run() -> None:
        server = Limited(calls=100_000)
        lane, line = server.line(ATTACKER)
        for _ in range(1000):
            lane.data_received(get())
            server.clock.ns += SHARE_NS
        assert len(line.seen) == 1001

    asyncio.run(run())


def test_the_first_refusal_of_a_kind_is_logged_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    quotas = Quotas(QuotasSettings(connections=1))
    assert quotas.admit(ATTACKER) is not None
    with caplog.at_level(logging.WARNING):
        assert [quotas.admit(ATTACKER) for _ in range(100)] == [None] * 100
    (record,) = caplog.records
    assert "[Quotas] Connections" in record.getMessage()
    assert quotas.connections.refused == 100

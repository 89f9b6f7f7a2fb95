# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Notices between nodes, over real connections of a small server, and in snapshots."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from msgspec import msgpack

from edge.call import Call
from edge.errors import InvalidInput
from replication import paths
from replication.notices import NoticeExchange, NoticesGiven, NoticesWanted
from replication.paths import VERSION
from replication.sender import LinkState
from replication.snapshot.kept_notices import kept_notices, take_kept
from runtime.notices.kind import Kind
from runtime.notices.log import MOST_COPIES, NoticeLog
from tests.unit.replication.raw_peer import http, until
from tests.unit.replication.test_links import Peer, served


class Talker(Peer):
    """A peer that knows notices, unless it is of a release before."""

    def __init__(self, name: str, *, knows: bool = True) -> None:
        self.log = NoticeLog(f"{name}@1", name)
        super().__init__(name, notices=self.log)
        self.exchange = NoticeExchange(self.log, self.links.links)
        self.refuses = not knows
        serve = self.server.answer
        self.server.answer = lambda line, body: self._answer(line, body, serve)

    def _answer(self, line: bytes, body: bytes, serve: Any) -> bytes:
        if paths.NOTICES.encode() not in line:
            return bytes(serve(line, body))
        return http(404) if self.refuses else http(200, self.exchange.answer(Call(b"", body, {})))


def texts(log: NoticeLog) -> set[str]:
    return {each.text for each in log.newest_first()}


async def connect(a: Talker, b: Talker) -> None:
    for one, other in ((a, b), (b, a)):
        one.links.set_peers([("127.0.0.1", other.server.port)])
        one.links.start()
    await until(lambda: all(each.links.links()[0].sender.state is LinkState.CONNECTED for each in (a, b)))
    await until(lambda: all(Kind.PEER_JOINED in {n.kind for n in each.log.newest_first()} for each in (a, b)))


def test_a_node_asks_for_what_it_lacks_and_nothing_twice() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        async with served(a, b):
            await connect(a, b)
            b.log.report(Kind.TASK_FAILED, "of b", item="t")
            await a.exchange.ask_all()
            assert "of b" in texts(a.log)
            assert a.log.beyond(b.log.seen()) != []
            assert b.log.beyond(a.log.seen()) == []

    asyncio.run(scenario())


def test_more_than_one_message_holds_comes_at_once() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        for origin in range(3):
            for kind in list(Kind)[:10]:
                other = NoticeLog(f"{origin}@{kind}", f"n{origin}")
                for number in range(15):
                    other.report(kind, "x", item=f"{number}")
                b.log.take(other.beyond({}))
        assert len(b.log) > 2 * MOST_COPIES
        async with served(a, b):
            await connect(a, b)
            await a.exchange.ask_all()
            assert len(a.log) >= len(b.log)

    asyncio.run(scenario())


def test_a_peer_of_the_release_before_has_none() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b", knows=False)
        async with served(a, b):
            await connect(a, b)
            await a.exchange.ask_all()
            assert {each.node for each in a.log.newest_first()} == {"a"}
            assert a.links.links()[0].sender.state is LinkState.CONNECTED

    asyncio.run(scenario())


def test_nonsense_from_a_peer_costs_nothing() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        async with served(a, b):
            await connect(a, b)
            b.exchange.answer = lambda call: b"\xc1"  # type: ignore[method-assign]
            await a.exchange.ask_all()
            b.exchange.answer = lambda call: msgpack.encode([1, [["", 0]]])  # type: ignore[method-assign]
            await a.exchange.ask_all()
            assert {each.node for each in a.log.newest_first()} == {"a"}

    asyncio.run(scenario())


def test_a_node_that_stops_hands_on_its_last_notices() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        async with served(a, b):
            await connect(a, b)
            a.exchange.start()
            a.log.report(Kind.NODE_STOPPED, "a stops")
            a.exchange.flush()
            await until(a.exchange.flushed)
            assert "a stops" in texts(b.log)
            await a.exchange.stop()

    asyncio.run(scenario())


def test_a_peer_that_is_lost_and_one_that_left_are_reported() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        async with served(a, b):
            await connect(a, b)
            name = a.links.links()[0].name
            a.links.links()[0].sender.failed("gone", 0.0)
            a.links.links()[0]._report()
            assert f"Peer {name} is lost: gone" in texts(a.log)
            a.links.set_peers([])
            await until(lambda: f"Discovery no longer finds peer {name}" in texts(a.log))

    asyncio.run(scenario())


def test_pulls_that_fail_are_reported_once_and_so_is_their_success() -> None:
    async def scenario() -> None:
        a, b = Talker("a"), Talker("b")
        async with served(a, b):
            await connect(a, b)
            link = a.links.links()[0]
            for _ in range(5):
                link.pull_failed("no")
            link.pulled()
            kinds = [each.kind for each in a.log.newest_first()]
            assert kinds.count(Kind.PULLS_FAIL) == kinds.count(Kind.PULLS_WORK) == 1
            assert a.log.counts()[Kind.PULLS_FAIL] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", msgpack.encode([2, {}]), msgpack.encode([1, {"": 1}]), msgpack.encode([1, {"a": -1}, []])],
)
def test_what_is_wrong_in_a_call_is_said(body: bytes) -> None:
    exchange = NoticeExchange(NoticeLog("a@1", "a"), list)
    with pytest.raises(InvalidInput):
        exchange.answer(Call(b"", body, {}))


def test_a_call_may_bring_notices_and_gets_the_others() -> None:
    log, other = NoticeLog("a@1", "a"), NoticeLog("b@1", "b")
    log.report(Kind.NODE_STARTED, "a started")
    other.report(Kind.NODE_STOPPED, "b stops")
    wanted = NoticesWanted(VERSION, other.seen(), other.own_latest(5))
    answer = NoticeExchange(log, list).answer(Call(b"", msgpack.encode(wanted), {}))
    given = msgpack.decode(answer, type=NoticesGiven)
    assert [each.text for each in given.copies] == ["a started"]
    assert texts(log) == {"a started", "b stops"}


def test_a_snapshot_keeps_notices_and_their_age() -> None:
    log = NoticeLog("a@1", "a", lambda: 100.0)
    log.report(Kind.NODE_STARTED, "a started")
    later = NoticeLog("a@2", "a", lambda: 7.0)
    take_kept(later, kept_notices(log), 60.0)
    (notice,) = later.newest_first()
    assert (notice.id, notice.at) == ("a@1:1", -53.0)
    assert later.seen() == {}  # others may have been left out: peers are asked


def test_notices_of_a_snapshot_that_cannot_be_read_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    log = NoticeLog("a@1", "a")
    with caplog.at_level(logging.WARNING):
        take_kept(log, b"\xc1", 0.0)
    assert len(log) == 0
    assert "are left out" in caplog.text
    take_kept(log, b"", 0.0)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stopping node hands on before it ends: everything, to every peer that can be reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from msgspec import msgpack

from replication import sender as sender_module
from replication.entities import Summary
from replication.messages import Ack, Push
from replication.paths import VERSION
from replication.sender import LinkState
from tests.unit.replication.raw_peer import RawPeer, http, raw_peer, until
from tests.unit.replication.test_links import Peer, meet, old_peer, play, served


class Slow:
    """A peer that takes pushes and acknowledges them when it is let to. It has nothing to pull.

    `watermark`: what it has acknowledged.
    `answers`: whether it answers pushes with events. If not, they wait.
    `fails`: how many pushes it still hangs up on.
    `failed`: how many it has hung up on.
    """

    def __init__(self) -> None:
        self.watermark = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = 0
        self.failed = 0

    async def push(self, body: bytes) -> bytes | None:
        push = msgpack.decode(body, type=Push)
        if push.events:
            await self.answers.wait()
        if self.fails:
            self.fails -= 1
            self.failed += 1
            return None
        self.watermark = max(self.watermark, push.first + len(push.events) - 1)
        return http(200, msgpack.encode(Ack(VERSION, "slow@1", self.watermark, True)))

    def __call__(self, line: bytes, body: bytes) -> object:
        if b"/push" in line:
            return self.push(body)
        if b"/summary" in line:
            return http(200, msgpack.encode(Summary(VERSION, "slow@1", False, {}, [0] * 1024)))
        return http(403)


def connected(peer: Peer) -> Callable[[], bool]:
    return lambda: all(link.sender.state is LinkState.CONNECTED for link in peer.links.links())


async def with_slow(stack: AsyncExitStack, node: Peer, *slow: Slow) -> list[RawPeer]:
    """Slow peers of a node, all connected."""
    peers = [await stack.enter_async_context(raw_peer(each)) for each in slow]  # type: ignore[arg-type]
    node.links.set_peers([("127.0.0.1", peer.port) for peer in peers])
    node.links.start()
    stack.push_async_callback(node.links.stop)
    await until(connected(node))
    return peers


def test_a_flush_ends_when_every_peer_has_everything() -> None:
    async def scene() -> None:
        a, b, c = Peer("a", capacity=10_000), Peer("b"), Peer("c")
        async with served(a, b, c):
            meet(a, b, c)
            await until(lambda: a.replica.joined and connected(a)())
            for number in range(5000):
                a.add(f"r{number}")
            a.links.flush()
            assert not a.links.flushed()
            await until(a.links.flushed)
            assert len(b.live()) == len(c.live()) == 5000
            await a.links.stop()

    play(scene())


def test_the_last_event_goes_out_too_although_all_links_were_idle() -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and connected(a)())
            a.links.flush()
            assert a.links.flushed()
            a.add("r")  # of a thread that was still at it
            assert not a.links.flushed()
            await until(a.links.flushed)
            assert b.live() == {"r"}

    play(scene())


def test_it_waits_for_the_slowest_peer() -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            a, quick, slow = Peer("a", join_seconds=0.01), Slow(), Slow()
            await with_slow(stack, a, quick, slow)
            slow.answers.clear()
            for number in range(10):
                a.add(f"r{number}")
            a.links.flush()
            await until(lambda: quick.watermark == 10)
            assert not a.links.flushed()
            slow.answers.set()
            await until(a.links.flushed)
            assert slow.watermark == 10

    play(scene())


def test_a_push_that_fails_in_a_flush_is_made_again() -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            a, slow = Peer("a", join_seconds=0.01), Slow()
            await with_slow(stack, a, slow)
            slow.fails = 1
            a.links.flush()
            a.add("r")
            await until(lambda: slow.failed == 1)
            await until(a.links.flushed)
            assert slow.watermark == 1

    play(scene())


def test_a_lost_peer_is_tried_at_once_and_gets_everything_if_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "SHORTEST_WAIT_SECONDS", 600.0)  # after one failure, and so without a flush
    monkeypatch.setattr(sender_module, "LONGEST_WAIT_SECONDS", 600.0)

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            a, slow = Peer("a", join_seconds=0.01), Slow()
            await with_slow(stack, a, slow)
            slow.fails = 1
            a.add("r")
            await until(lambda: a.link().sender.state is LinkState.LOST)
            a.add("s")
            a.links.flush()
            await until(lambda: a.links.flushed() and slow.watermark == 2)

    play(scene())


def test_a_peer_that_is_gone_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            a, slow, gone = Peer("a", join_seconds=0.01), Slow(), Slow()
            peers = await with_slow(stack, a, slow, gone)
            link = next(link for link in a.links.links() if link.name.endswith(f":{peers[1].port}"))
            gone.fails = 10**9
            a.add("r")
            await until(lambda: link.sender.failures >= 3)
            failed = gone.failed
            a.links.flush()
            await until(a.links.flushed)
            assert slow.watermark == 1
            assert gone.failed - failed <= 2, "it was tried again, and not for ever"
            assert link.sender.lag_events == 1
            with caplog.at_level(logging.WARNING):
                await a.links.stop()
            assert f"peer {link.name}: lost, stopped with 1 events that it has not acknowledged" in caplog.messages

    play(scene())


def test_a_peer_of_the_go_version_gets_what_is_on_its_way() -> None:
    async def scene() -> None:
        taken: list[bytes] = []
        go_on = asyncio.Event()
        answer = old_peer(taken)

        async def slowly(line: bytes, body: bytes) -> bytes | None:
            if line == b"POST /v1/replica/event HTTP/1.1":
                await go_on.wait()
            return answer(line, body)  # type: ignore[return-value]

        async with raw_peer(slowly) as peer:
            a = Peer("a", join_seconds=0.01)
            a.links.set_peers([("127.0.0.1", peer.port)])
            a.links.start()
            await until(lambda: a.link().sender.state is LinkState.LEGACY)
            for number in range(20):
                a.add(f"r{number}")
            link = a.link()
            await until(lambda: link.sender.lag_events == 0)
            a.links.flush()
            assert not a.links.flushed(), "they count as sent and have not arrived"
            go_on.set()
            await until(a.links.flushed)
            assert len(taken) == 20
            await a.links.stop()

    play(scene())

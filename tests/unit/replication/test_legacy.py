# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import msgspec

from loadstats.ledger import Added, Done, Event, FirstToken
from replication.legacy import CONNECTIONS, LegacyPeer
from tests.ports import closed_port
from tests.unit.replication.raw_peer import RawPeer, http, raw_peer


def test_each_event_is_one_request_as_the_original_sends_it() -> None:
    async def run() -> None:
        async with raw_peer(lambda line, body: http(200, b"{}")) as peer:
            legacy = LegacyPeer(peer.connect)
            assert await legacy.push([Added("r", "c", "10.0.0.1", 5)]) == 0
            assert await legacy.push([FirstToken("r")]) == 0
            assert await legacy.push([Done("r")]) == 0
            legacy.close()
            assert {line for line, _ in peer.asked} == {b"POST /v1/replica/event HTTP/1.1"}
            assert [msgspec.json.decode(body) for _, body in peer.asked] == [
                {"request_id": "r", "cluster": "c", "ip": "10.0.0.1", "prompt_length": 5},
                {"request_id": "r"},
                {"request_id": "r"},
            ]
            types = [head.partition(b"Event-Type: ")[2].split(b"\r\n")[0] for head in peer.heads]
            assert types == [b"load.stats.set", b"load.prompt.delete", b"load.stats.delete"]
            assert all(b"Content-Type: application/json\r\n" in head for head in peer.heads)

    asyncio.run(run())


def test_many_events_share_few_connections() -> None:
    async def run() -> None:
        async with raw_peer(lambda line, body: http(200)) as peer:
            legacy = LegacyPeer(peer.connect)
            assert await legacy.push([Done(f"r{number}") for number in range(200)]) == 0
            legacy.close()
            assert peer.connections == CONNECTIONS
            assert {msgspec.json.decode(body)["request_id"] for _, body in peer.asked} == {f"r{n}" for n in range(200)}

    asyncio.run(run())


def test_the_calls_of_one_request_keep_their_order() -> None:
    """The original leaks a request whose delete overtakes its add."""

    async def slow_add(line: bytes, body: bytes) -> bytes | None:
        if b"cluster" in body:
            await asyncio.sleep(0.02)
        taken.append(body)
        return http(200)

    taken: list[bytes] = []

    async def run() -> None:
        async with raw_peer(slow_add) as peer:
            legacy = LegacyPeer(peer.connect)
            events: list[Event] = [Added("r", "c", "10.0.0.1", 5), FirstToken("r"), Done("r")]
            assert await legacy.push(events) == 0
            legacy.close()
        assert [b"cluster" in body for body in taken] == [True, False, False]

    asyncio.run(run())


def test_an_event_is_tried_twice_and_then_lost() -> None:
    async def run() -> None:
        def fail_the_first(line: bytes, body: bytes) -> bytes | None:
            return http(200) if body in tried or tried.append(body) else http(500)  # type: ignore[func-returns-value]

        tried: list[bytes] = []
        async with raw_peer(fail_the_first) as peer:
            legacy = LegacyPeer(peer.connect)
            assert await legacy.push([Done("r"), Done("s")]) == 0
            assert len(peer.asked) == 4
            peer.answer = lambda line, body: http(500)
            assert await legacy.push([Done("t")]) == 1
            peer.answer = lambda line, body: None  # hangs up
            assert await legacy.push([Done("u"), Done("v")]) == 2
            peer.answer = lambda line, body: b"garbage\r\n\r\n"
            assert await legacy.push([Done("w")]) == 1
            legacy.close()

    asyncio.run(run())


def test_nobody_there_loses_all_and_raises_nothing() -> None:
    async def run() -> None:
        peer = RawPeer(lambda line, body: http(200))
        with closed_port() as peer.port:
            legacy = LegacyPeer(peer.connect)
            assert await legacy.push([Done(f"r{number}") for number in range(20)]) == 20
            legacy.close()

    asyncio.run(run())

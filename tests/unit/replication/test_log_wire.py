# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One connection to a log server, fed raw bytes: whose reply is whose, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from replication.log.server import LogAway, LogFull
from replication.log.valkey import wire as module
from replication.log.valkey.wire import Wire


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


def play(scene: Callable[[Wire, Transport], Awaitable[None]], patience_seconds: float = 60.0) -> None:
    async def run() -> None:
        wire, transport = Wire(patience_seconds), Transport()
        wire.connection_made(transport)
        await scene(wire, transport)
        wire.close()
        assert transport.aborted

    asyncio.run(run())


def test_commands_go_out_at_once_and_replies_come_in_their_order() -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        one, two, three = wire.send("GET", b"k", 7), wire.send("B"), wire.send("C")
        assert transport.written[0] == b"*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\n7\r\n"
        two.cancel()
        wire.data_received(b"$3\r\no")
        assert not one.done()
        wire.data_received(b"ne\r\n:2\r\n-OOM command not allowed")
        assert await one == b"one"
        wire.data_received(b"\r\n")
        with pytest.raises(LogFull):
            await three

    play(scene)


def test_one_timer_watches_all_commands() -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        first = wire.send("A")
        timer = wire._watch
        futures = [wire.send("B") for _ in range(10)]
        assert wire._watch is timer
        wire.data_received(b"+OK\r\n")
        assert await first == b"OK"
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert {str(each) for each in results} == {"no answer for 0.01 s"}
        assert transport.aborted

    play(scene, 0.01)


def test_a_reply_that_came_while_this_process_stood_still_counts() -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        reply = wire.send("A")
        wire._look_at(reply)
        assert not transport.aborted
        wire.data_received(b"+OK\r\n")
        assert await reply == b"OK"

    play(scene)


def test_a_reply_that_is_on_its_way_is_waited_for_however_long_it_takes() -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        reply = wire.send("A")
        wire._look_at(reply)
        for _ in range(3):
            wire.data_received(b"$9\r\n" if not wire._unread_bytes else b"x")
            wire._look_at(reply)
            assert not transport.aborted
        wire._look_at(reply)
        with pytest.raises(LogAway, match="no answer"):
            await reply

    play(scene)


def test_replies_and_unanswered_commands_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY_BYTES", 1000)
    monkeypatch.setattr(module, "MAX_UNANSWERED", 3)

    async def scene(wire: Wire, transport: Transport) -> None:
        futures = [wire.send("A") for _ in range(3)]
        with pytest.raises(LogAway, match="too slowly"):
            await wire.send("B")
        wire.data_received(b"$500\r\n" + b"x" * 500 + b"\r\n$5000\r\n")
        assert await futures[0] == b"x" * 500
        assert not transport.aborted
        wire.data_received(b"x" * 1001)
        assert transport.aborted
        for each in futures[1:]:
            with pytest.raises(LogAway, match="more than 1000 bytes"):
                await each

    play(scene)


@pytest.mark.parametrize("data", [b"?nonsense\r\n", b"+OK\r\n+OK\r\n"])
def test_what_was_not_asked_for_ends_the_connection(data: bytes) -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        reply = wire.send("A")
        wire.data_received(data)
        assert transport.aborted
        if reply.exception() is None:
            assert reply.result() == b"OK"
        else:
            with pytest.raises(LogAway, match="not the protocol"):
                await reply

    play(scene)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"-ERR max number of clients reached\r\n", "as many connections"),
        (b"-DENIED Redis is running in protected mode because\r\n", "protected-mode"),
    ],
)
def test_a_server_that_takes_no_connection_says_why_before_it_is_asked(said: bytes, reason: str) -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        wire.data_received(said)
        assert transport.aborted
        with pytest.raises(LogAway, match=reason):
            await wire.send("A")

    play(scene)


def test_the_cause_of_an_end_reaches_those_who_wait_and_those_who_come() -> None:
    async def scene(wire: Wire, transport: Transport) -> None:
        reply = wire.send("A")
        wire.connection_lost(ConnectionResetError(104, "reset"))
        for each in (reply, wire.send("B")):
            with pytest.raises(LogAway, match="it closed the connection"):
                await each

    play(scene)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The server's stop: it drains for as long as clients ask, and not longer than it may. Then it answers no call any
more, and ends when what it answered is flushed. On a clock of the test's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from msgspec.structs import replace

from edge import server as edge_server
from edge.call import Route
from edge.connections import Connections
from edge.lane import Lane
from edge.server import QUIET_SECONDS, NodeServer
from runtime.config import Config
from tests.unit.edge.lanes import Server, Transport, add, answers, batch, get, page, post

DRAIN_SECONDS = 10.0
FLUSH_SECONDS = 3.0
PUSH = post(b"", path=b"/push")

real_sleep = asyncio.sleep


class Part:
    """Lives on the loop, and knows when it was stopped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stopped: list[float] = []
        self.on_stop: Callable[[], object] = lambda: None

    def start(self) -> None: ...

    async def stop(self) -> None:
        self.stopped.append(self._clock.now)
        self.on_stop()


class Clock:
    """Monotonic time that passes where the server sleeps. `on_time` is called with each new time."""

    def __init__(self) -> None:
        self.now = 3.0  # of a host that is hardly up
        self.on_time: Callable[[float], object] = lambda now: None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_time(self.now)
        await real_sleep(0)


class Stop:
    """A server that stops, and what there was to see."""

    def __init__(self, clock: Clock, drain_seconds: float = DRAIN_SECONDS) -> None:
        self.clock = clock
        self.parts = Server(routes=[Route("POST", "/push", lambda call: b"x", internal=True)])
        self.drained: list[float] = []
        self.flushing: list[float] = []  # when the flush began
        self.on_look: Callable[[], bool] = lambda: True  # whether all is flushed
        self._open: list[Lane] = []
        self.part = Part(clock)
        self.part.on_stop = self.leave
        config = Config()
        config = replace(
            config,
            http=replace(config.http, drain_timeout_seconds=drain_seconds),
            replication=replace(config.replication, flush_timeout_seconds=FLUSH_SECONDS),
        )
        self.server = NodeServer(
            config,
            self.parts.app,
            self.parts.lanes,
            on_drain=self.drain,
            flush=lambda: self.flushing.append(clock.now),
            flushed=self.look,
            parts=[self.part],
        )
        self.server.config.load()
        self.server.servers = []
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)

    def drain(self) -> None:
        self.drained.append(self.clock.now)
        self.parts.waits.end()

    def look(self) -> bool:
        return self.on_look()

    def send(self, request: bytes) -> Transport:
        """A request on a connection of its own, which is gone as soon as it is closed."""
        lane, transport = self.parts.connect()
        lane.data_received(request)
        if transport.closing:
            lane.connection_lost(None)
        else:
            self._open.append(lane)
        return transport

    def leave(self) -> None:
        """Nothing more comes, and the clients whose connections are still open go."""
        self.clock.on_time = lambda now: None
        while self._open:
            self._open.pop().connection_lost(None)

    async def seconds(self) -> float:
        """Stop; how long it took until the parts were stopped."""
        began = self.clock.now
        await self.server.shutdown()
        assert self.drained == [began], "said once, and first"
        assert self.parts.lanes.draining
        (stopped,) = self.part.stopped
        return stopped - began


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(edge_server, "monotonic", clock)
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


def test_only_what_a_leaving_client_cancels_is_not_reported() -> None:
    class Loop:
        def default_exception_handler(self, context: dict[str, Any]) -> None:
            reported.append(context)

    reported: list[dict[str, Any]] = []
    loop: Any = Loop()
    news: list[dict[str, Any]] = [{"exception": ValueError("no")}, {"message": "no exception at all"}]
    for context in (*news, {"exception": asyncio.CancelledError()}):
        edge_server.log_loop_error(loop, context)
    assert reported == news


def run(check: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(check())


def every(clock: Clock, seconds: float, until: float, act: Callable[[], object]) -> None:
    """Do something that often, for so long."""
    began = due = clock.now

    def on_time(now: float) -> None:
        nonlocal due
        if due <= now < began + until:
            due = now + seconds
            act()

    clock.on_time = on_time


def test_a_stop_without_traffic_takes_as_long_as_quiet_does(clock: Clock) -> None:
    async def check() -> None:
        assert await Stop(clock).seconds() == pytest.approx(QUIET_SECONDS, abs=0.06)

    run(check)


@pytest.mark.parametrize("busy", [0.5, 2.0, 7.0])
@pytest.mark.parametrize("request_", [get(), add(1)], ids=["read", "write"])
def test_while_clients_ask_it_serves_on(clock: Clock, busy: float, request_: bytes) -> None:
    """Each on a connection of its own, as behind a balancer that does not know yet."""

    async def check() -> None:
        stop = Stop(clock)
        transports = []

        def client() -> None:
            transports.append(stop.send(request_))

        every(clock, 0.2, busy, client)
        assert await stop.seconds() == pytest.approx(busy + QUIET_SECONDS, abs=0.3)
        for transport in transports:
            (answer,) = answers(transport.written)
            assert (answer.status, answer.headers["connection"]) == (200, "close")

    run(check)


def test_a_pause_that_is_shorter_than_quiet_is_no_end(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        every(clock, QUIET_SECONDS - 0.06, 3.0, lambda: stop.send(get()))
        assert await stop.seconds() > 3.0 - QUIET_SECONDS

    run(check)


def test_traffic_without_end_is_served_for_the_drain_time(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        every(clock, 0.1, 1000.0, lambda: stop.send(get()))
        assert await stop.seconds() == pytest.approx(DRAIN_SECONDS, abs=0.1)

    run(check)


@pytest.mark.parametrize("request_", [PUSH, page(b"/page")], ids=["of a peer", "for Django"])
def test_what_is_no_clients_call_keeps_no_node(clock: Clock, request_: bytes) -> None:
    async def check() -> None:
        stop = Stop(clock)
        sent = []

        def other() -> None:
            sent.append(stop.send(request_))

        every(clock, 0.1, 1000.0, other)
        assert await stop.seconds() == pytest.approx(QUIET_SECONDS, abs=0.06)
        assert len(sent) >= 2

    run(check)


def test_no_drain_time_is_no_drain(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock, drain_seconds=0)
        every(clock, 0.1, 1000.0, lambda: stop.send(get()))
        assert await stop.seconds() == 0

    run(check)


def test_a_second_signal_ends_the_drain(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)

        def act() -> None:
            stop.send(get())
            if clock.now > 5.0:
                stop.server.force_exit = True

        every(clock, 0.1, 1000.0, act)
        assert await stop.seconds() == pytest.approx(2.0, abs=0.2)

    run(check)


def test_what_times_out_while_it_drains_is_closed(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        stop.parts.lanes.now = clock.now
        transport = stop.send(add(1)[:20])
        stop.parts.lanes.read_timeout_seconds = 1.0
        every(clock, 0.1, 2.0, lambda: stop.send(get()))
        await stop.seconds()
        assert answers(transport.written)[0].status == 408

    run(check)


def test_a_client_that_does_not_read_is_cut_off_in_the_end(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        lane, transport = stop.parts.connect()
        lane.pause_writing()
        lane.data_received(get())
        stop.part.on_stop = lambda: None
        clock.on_time = lambda now: setattr(stop.server, "force_exit", now > 20)
        await stop.seconds()
        assert transport.aborted
        lane.connection_lost(None)

    run(check)


# What was answered 200 is flushed, and what was not does not count


def test_once_it_flushes_no_call_is_answered_or_counted_and_it_ends_when_all_is_flushed(clock: Clock) -> None:
    """Clients that never stop, each request on a connection of its own: every door, all through the stop."""
    bodies = {
        b"POST": b'{"cluster":"c","request_id":"r%d","ip":"10.0.0.1"}',
        b"DELETE": b'{"request_id":"r%d"}',
    }

    async def check() -> None:
        stop = Stop(clock, drain_seconds=2.0)
        ledger = stop.parts.ledger
        sent: list[tuple[float, Transport]] = []
        told: list[object] = []  # what the ledger held when the flush began, and at each look since

        def client() -> None:
            number = len(sent)
            requests = (
                post(bodies[b"POST"] % number),
                post(bodies[b"DELETE"] % (number // 2), method=b"DELETE"),
                get(),
                get(b"c&wait=1"),
                batch([{"op": "add", "cluster": "c", "request_id": f"b{number}", "ip": "10.0.0.1"}]),
                page(b"/page"),
            )
            sent.extend((clock.now, stop.send(request)) for request in requests)

        def flushed() -> bool:
            told.append(sorted((each.request_id, each.phase) for each in ledger.requests.records()))
            return clock.now >= stop.flushing[0] + 1.0

        stop.on_look = flushed
        every(clock, 0.05, 1000.0, client)
        took = await stop.seconds()
        assert took == pytest.approx(2.0 + 1.0, abs=0.1), "it ends when all is flushed"
        assert len(told) > 50
        assert all(each == told[0] for each in told), "nothing came in from the beginning of the flush on"
        (began,) = stop.flushing
        late = [transport for when, transport in sent if began <= when < began + 0.9]  # the last ones are cut off
        assert len(late) >= 6 * 15
        for transport in late:
            (answer,) = answers(transport.written)
            assert (answer.status, answer.code, answer.headers["connection"]) == (503, 50301000, "close")
        early = [answers(transport.written) for when, transport in sent if when < began - 0.1]
        assert len(early) >= 6 * 30
        assert all(answer.status == 200 for found in early for answer in found)

    run(check)


def test_what_it_works_on_is_answered_before_the_flush_begins(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        transport = stop.send(page(b"/slow"))  # whether Django or a handler that works in slices
        behind = stop.send(page(b"/slow") + add(1))  # and a call that waits behind it on its connection
        await stop.parts.settle()

        def on_time(now: float) -> None:
            if now > 3.0 + QUIET_SECONDS + 2.0:
                stop.parts.pages.release.set()

        clock.on_time = on_time
        await stop.seconds()
        assert stop.flushing[0] == pytest.approx(3.0 + QUIET_SECONDS + 2.0, abs=0.1)
        assert [answer.status for answer in answers(transport.written)] == [200]
        [answer] = answers(behind.written)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert not list(stop.parts.ledger.requests.records()), "the call behind it has no answer and does not count"

    run(check)


def test_a_call_whose_body_comes_after_the_drain_is_refused(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        lane, transport = stop.parts.connect()
        whole = add(1)
        lane.data_received(whole[:-5])

        def flushed() -> bool:
            if not transport.written:
                lane.data_received(whole[-5:])
                lane.connection_lost(None)
            return True

        stop.on_look = flushed
        await stop.seconds()
        (answer,) = answers(transport.written)
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert not list(stop.parts.ledger.requests.records())

    run(check)


def test_peers_are_served_while_it_flushes(clock: Clock) -> None:
    """One may have to pull from it what it cannot be pushed."""

    async def check() -> None:
        stop = Stop(clock)
        pushed: list[Transport] = []

        def flushed() -> bool:
            pushed.append(stop.send(PUSH))
            return len(pushed) == 3

        stop.on_look = flushed
        await stop.seconds()
        assert [answers(transport.written)[0].status for transport in pushed] == [200, 200, 200]

    run(check)


def test_what_is_never_flushed_keeps_it_no_longer_than_the_flush_time(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        stop.on_look = lambda: False
        assert await stop.seconds() == pytest.approx(QUIET_SECONDS + FLUSH_SECONDS, abs=0.1)

    run(check)


def test_a_second_signal_ends_the_flush(clock: Clock) -> None:
    async def check() -> None:
        stop = Stop(clock)
        stop.on_look = lambda: False
        clock.on_time = lambda now: setattr(stop.server, "force_exit", now > 3.0 + QUIET_SECONDS + 1.0)
        assert await stop.seconds() == pytest.approx(QUIET_SECONDS + 1.0, abs=0.1)

    run(check)


def test_a_connection_of_the_first_moment_is_as_young_as_any(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come before the first tick; the machine has been up for long."""
    clock.now = 1e6

    async def startup(server: uvicorn.Server, sockets: object = None) -> None:
        found.append(stop.parts.connect())

    async def check() -> None:
        nonlocal stop
        stop = Stop(clock)
        stop.parts.lanes.now = 0.0  # as it is built
        await stop.server.startup()
        ((lane, transport),) = found
        lane.data_received(add(1)[:20])
        Connections(stop.parts.lanes).sweep(clock.now + 1)
        assert (transport.written, transport.closing) == (b"", False)
        lane.connection_lost(None)

    stop: Stop
    found: list[tuple[Lane, Transport]] = []
    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    run(check)


def test_pages_of_a_cold_node_say_so_too_and_no_longer_than_it_is(clock: Clock) -> None:
    """uvicorn writes their heads; those of the lanes are looked at in test_lane.py."""

    async def asked(stop: Stop) -> str | None:
        (answer,) = answers((await stop.parts.speak(page(b"/page"))).written)
        return answer.headers.get("x-metadata-center-cold")

    async def check() -> None:
        stop = Stop(clock)
        assert await asked(stop) is None
        for tick, seconds in enumerate([3, 3, 4, 4, 0, 0]):
            stop.parts.cold = seconds
            await stop.server.on_tick(tick)
            assert await asked(stop) == (str(seconds) if seconds else None)
        for tick, seconds in ((10, 5), (20, 0)):
            stop.parts.cold = seconds
            await stop.server.on_tick(tick)
            assert await asked(stop) == (str(seconds) if seconds else None)

    run(check)

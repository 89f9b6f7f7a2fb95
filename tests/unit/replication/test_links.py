# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Links between nodes of this same loop, over real connections of a small server."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from msgspec import msgpack

from edge.call import Call, Table
from edge.errors import InvalidInput
from replication import link as link_module
from replication import paths
from replication.admission import Admission
from replication.buckets import Want
from replication.client import BadAnswer, Connection
from replication.entities import Entities, Summary
from replication.entities.caches import ReplicatedCaches, Saved
from replication.entities.requests import ReplicatedRequests
from replication.handlers import ReplicaHandlers
from replication.link import PeerLink
from replication.links import Links
from replication.messages import Ack
from replication.paths import VERSION
from replication.sender import LinkState, Sender
from runtime.cold_start import ColdStart
from runtime.health import PartState
from runtime.notices.log import NoticeLog
from tests.unit.replication.raw_peer import Answer, Node, RawPeer, http, raw_peer, until


class Peer(Node):
    """A node with its links. `join_seconds` is long: who is ready has joined."""

    def __init__(
        self,
        name: str,
        *,
        join_seconds: float = 60.0,
        cold: ColdStart | None = None,
        notices: NoticeLog | None = None,
        **options: float,
    ) -> None:
        super().__init__(f"{name}@1", **options)  # type: ignore[arg-type]
        self.lags: list[float] = []
        self.admission = Admission("")
        self.links = Links(
            self.replica,
            self.journal,
            self.admission,
            lambda address, port: Connection(address, port, dial_seconds=60, request_seconds=60),
            join_seconds=join_seconds,
            random=Random(1),
            observe=self.lags.append,
            cold=cold,
            notices=notices,
        )
        self.cold = cold or ColdStart(0.0)
        table = Table(ReplicaHandlers(self.replica, self.admission, self.links.links, {}).routes())
        self.server = RawPeer(lambda line, body: self._serve(table, line, body))

    def _serve(self, table: Table, line: bytes, body: bytes) -> bytes:
        method, path, _ = line.split()
        route = table.find(method, path)
        if route is None:
            return http(404)
        try:
            said = [b"X-Metadata-Center-Cold: %d" % self.cold.seconds()] if self.cold.seconds() else []
            return http(200, route.handler(Call(b"", body, {}, client="127.0.0.1")), *said)
        except InvalidInput as error:
            return http(400, error.reason.encode())

    def link(self) -> PeerLink:
        return self.links.links()[0]

    def at_rest(self) -> bool:
        """Whether no join and no pull is under way or to come, so that a sweep begins one."""
        work = self.links.anti_entropy.work
        return work is not None and work.done() and not any(self.replica.pending.values())

    async def rest(self) -> None:
        """Wait until it is at rest. What a join leaves to later sweeps is pulled by sweeps, as in a node."""

        def rests() -> bool:
            if (rests := self.at_rest()) or not any(self.replica.pending.values()):
                return rests
            self.links.sweep()
            return False

        await until(rests)


@asynccontextmanager
async def served(*peers: Peer) -> Any:
    servers = [await asyncio.start_server(peer.server.talk, "127.0.0.1", 0) for peer in peers]
    for peer, server in zip(peers, servers, strict=True):
        peer.server.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        for peer in peers:
            await peer.links.stop()
        for peer, server in zip(peers, servers, strict=True):
            server.close()
            peer.server.hang_up()
        await asyncio.sleep(0)


def meet(*peers: Peer) -> None:
    """Each is told of the others, and starts."""
    for peer in peers:
        peer.links.set_peers([("127.0.0.1", other.server.port) for other in peers if other is not peer])
        peer.links.start()


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_nodes_that_begin_together_are_ready_at_once_and_tell_each_other() -> None:
    async def scene() -> None:
        a, b, c = Peer("a"), Peer("b"), Peer("c")
        async with served(a, b, c):
            meet(a, b, c)
            await until(lambda: all(peer.replica.joined for peer in (a, b, c)))
            a.add("r", now=monotonic())
            b.add("s", now=monotonic())
            c.ledger.done("r", 0.0, 1)
            await until(lambda: all(peer.live() == {"s"} for peer in (a, b, c)))
            links = [link for peer in (a, b, c) for link in peer.links.links()]
            await until(lambda: all(link.sender.lag_events == 0 for link in links))
            assert a.ledger.replica.digests() == b.ledger.replica.digests() == c.ledger.replica.digests()
            await until(lambda: a.links.state() == (PartState.OK, "2 peers"))
            assert 0 < min(a.lags) < 60

    play(scene())


def test_a_node_that_joins_has_everything_before_it_is_ready() -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        for number in range(3000):
            a.add(f"r{number}")
        async with served(a, b):
            a.replica.joined = True
            meet(a, b)
            assert b.links.state()[0] is PartState.STARTING
            await until(lambda: b.replica.joined)
            assert len(b.live()) == 3000
            assert b.replica.vector()["a@1"] == 3000

    play(scene())


def test_a_node_without_peers_is_ready_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a = Peer("a")
        async with served(a):
            with caplog.at_level(logging.INFO, "replication"):
                meet(a)
                await until(lambda: a.replica.joined)
        assert "ready without peers" in caplog.text

    play(scene())


def test_a_node_that_discovery_tells_nothing_is_ready_after_the_cap(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a = Peer("a", join_seconds=0.05)
        async with served(a):
            a.links.start()
            await until(lambda: a.replica.joined)
        assert "no peer could be joined" in caplog.text

    with caplog.at_level(logging.INFO, "replication"):
        play(scene())


def test_a_node_waits_for_peers_that_are_down_no_longer_than_the_cap() -> None:
    async def scene() -> None:
        a, b = Peer("a", join_seconds=0.3), Peer("b")
        async with served(a):
            a.links.set_peers([("127.0.0.1", 1)])
            a.links.start()
            await until(lambda: a.replica.joined)
            await until(lambda: a.link().sender.state is LinkState.LOST)
            state, why = a.links.state()
            assert (state, why) == (PartState.DEGRADED, "lost: 127.0.0.1:1")
        assert b.links.links() == []

    play(scene())


def test_the_journal_may_be_written_by_any_thread() -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and b.replica.joined)

            def report() -> None:
                for number in range(500):
                    a.add(f"r{number}")

            thread = Thread(target=report)
            thread.start()
            await until(lambda: len(b.live()) == 500)
            thread.join()

    play(scene())


def test_what_differs_is_mended_by_the_second_sweep(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and b.replica.joined)
            b.add("r")
            await until(lambda: a.live() == {"r"} and a.link().sender.state is LinkState.CONNECTED)
            await a.rest()
            b.ledger.journal = None  # an end that nobody tells
            b.ledger.done("r", 0.0, 1)
            for _ in range(2):
                before = a.links.anti_entropy.work
                a.links.sweep()
                await until(lambda: a.links.anti_entropy.work is not before)  # noqa: B023
                assert a.links.anti_entropy.work is not None
                await a.links.anti_entropy.work
            assert a.live() == set()
        assert "1 records differed and were mended" in caplog.text

    with caplog.at_level(logging.INFO, "replication"):
        play(scene())


def test_a_gap_is_filled_by_a_whole_pull() -> None:
    async def scene() -> None:
        a, b = Peer("a", capacity=8), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and b.replica.joined)
            a.link().close()
            b.links.set_peers([])
            for number in range(50):
                a.add(f"r{number}")
            a.replica.trim([0])
            await until(lambda: "a" in b.replica.gaps)
            b.links.set_peers([("127.0.0.1", a.server.port)])
            await until(lambda: bool(b.links.links()) and b.link().sender.state is LinkState.CONNECTED)

            def filled() -> bool:
                b.links.sweep()  # the join may still be at work, and then another one does it
                return len(b.live()) == 50

            await until(filled)
            assert b.replica.gaps == set()
            await until(lambda: a.link().sender.lag_events == 0)

    play(scene())


def test_peers_come_and_go() -> None:
    async def scene() -> None:
        a, b, c = Peer("a"), Peer("b"), Peer("c")
        async with served(a, b, c):
            meet(a, b)
            c.replica.joined = True
            await until(lambda: a.replica.joined)
            a.links.set_peers([("127.0.0.1", c.server.port)])
            await until(lambda: a.link().name == f"127.0.0.1:{c.server.port}")
            a.add("r")
            await until(lambda: c.live() == {"r"})
            assert b.live() == set()

    play(scene())


def test_a_link_that_ended_is_started_anew_by_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and a.link().sender.state is LinkState.CONNECTED)
            broken = a.link().sender.poll
            a.link().sender.poll = lambda now: 1 / 0  # type: ignore[method-assign,assignment,return-value]
            [task] = a.links.tasks.values()
            a.add("r")
            await until(task.done)
            a.link().sender.poll = broken  # type: ignore[method-assign]
            a.links.sweep()
            await until(lambda: b.live() == {"r"})
        assert "its link ended" in caplog.text

    play(scene())


# What goes wrong is seen


def test_each_change_of_a_links_state_is_one_line_and_events_and_failures_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def said(a: Peer) -> list[str]:
        start = f"peer {a.link().name}: "
        found = [each.removeprefix(start) for each in caplog.messages if each.startswith(start)]
        return [each for each in found if each.startswith(("connected", "lost"))]

    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and a.link().sender.state is LinkState.CONNECTED)
            for number in range(3):
                a.add(f"r{number}")
                await until(lambda: len(b.live()) == number + 1)  # noqa: B023
            well = b.server.answer
            b.server.answer = lambda line, body: http(500, b"x")
            a.add("lost")
            await until(lambda: a.link().sender.failures > 2)
            b.server.answer = well
            await until(lambda: b.live() == {"r0", "r1", "r2", "lost"} and said(a)[-1:] == ["connected"])
            assert said(a) == ["connected", "lost: it answered 500", "connected"]

    with caplog.at_level(logging.INFO, "replication"):
        play(scene())


def test_a_pull_that_goes_on_failing_makes_the_node_degraded_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and b.replica.joined)
            await a.rest()
            well = b.server.answer
            b.server.answer = lambda line, body: http(500, b"x") if b"/summary" in line else well(line, body)

            async def swept() -> None:
                before = a.links.anti_entropy.work
                a.links.sweep()
                await until(lambda: a.links.anti_entropy.work is not before and a.at_rest())

            for number in range(1, 11):
                await swept()
                link = a.link()
                assert link.sender.state is LinkState.CONNECTED
                assert (link.failed_pulls, link.pull_failures) == (number, number)
                assert link.last_error == "not pulled: requests: it answered 500 to /v1/replica/summary"
                assert a.links.state() == (
                    (PartState.OK, "1 peer") if number < 3 else (PartState.DEGRADED, f"{link.name}: {link.last_error}")
                )
            levels = [record.levelno for record in caplog.records if "not pulled" in record.message]
            assert levels == [logging.INFO] * 2 + [logging.WARNING] + [logging.DEBUG] * 6 + [logging.WARNING]
            b.server.answer = well
            await swept()
            assert (a.link().last_error, a.link().failed_pulls) == ("", 10)
            assert a.links.state() == (PartState.OK, "1 peer")

    with caplog.at_level(logging.DEBUG, "replication"):
        play(scene())


def test_a_pull_that_fails_through_a_fault_of_ours_is_seen_too(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and b.replica.joined)
            await a.rest()
            a.requests.meet = lambda summary, now: 1 / 0  # type: ignore[method-assign]
            for _ in range(3):
                before = a.links.anti_entropy.work
                a.links.sweep()
                await until(lambda: a.links.anti_entropy.work is not before and a.at_rest())  # noqa: B023
            assert a.links.anti_entropy.work is not None
            assert a.links.anti_entropy.work.exception() is None
            assert a.links.state() == (
                PartState.DEGRADED,
                f"{a.link().name}: not pulled: requests: division by zero",
            )
            assert any(record.exc_info for record in caplog.records)

    play(scene())


def test_a_starting_node_says_why_it_has_not_joined() -> None:
    async def scene(a: Peer, peer: RawPeer) -> None:
        await until(lambda: a.link().pull_failures > 0)
        assert a.links.state() == (
            PartState.STARTING,
            f"catching up with peers; {a.link().name}: not pulled: summary: it answered 500 to /v1/replica/summary",
        )
        await until(lambda: a.replica.joined)

    def answer(line: bytes, _: bytes) -> bytes:
        return http(200, msgpack.encode(Ack(VERSION, "b@1", 0, True))) if b"/push" in line else http(500)

    play(alone_with(answer, scene, join_seconds=3.0))  # it is seen before, on a busy machine too


def test_an_event_that_cannot_be_written_is_left_out_and_the_node_is_degraded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and a.link().sender.state is LinkState.CONNECTED)
            a.add("r")
            a.journal.append(Saved("c", "10.0.0.1", 2**64, (1,)), monotonic(), 64)
            a.add("s")
            await until(lambda: b.live() == {"r", "s"})
            await until(lambda: a.link().sender.lag_events == 0)
            assert a.link().unwritten.times == 1
            state, why = a.links.state()
            assert (state, why) == (PartState.DEGRADED, f"{a.link().name}: {a.link().last_error}")
            assert why.endswith(
                "an event cannot be written: OverflowError: can't serialize ints < -2**63 or > 2**64 - 1"
            )
        assert "an event is left out" in caplog.text

    play(scene())


def test_a_link_that_ended_is_shown_as_lost_until_it_is_started_anew() -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        async with served(a, b):
            meet(a, b)
            await until(lambda: a.replica.joined and a.link().sender.state is LinkState.CONNECTED)
            a.link().sender.poll = lambda now: 1 / 0  # type: ignore[method-assign,assignment,return-value]
            [task] = a.links.tasks.values()
            a.add("r")
            await until(task.done)
            assert a.link().sender.state is LinkState.LOST
            assert a.link().last_error == "its link ended: ZeroDivisionError: division by zero"
            assert a.links.state() == (PartState.DEGRADED, f"lost: {a.link().name}")
            assert task.exception() is not None

    play(scene())


def test_a_node_that_cannot_answer_its_peers_is_degraded() -> None:
    a = Peer("a")
    a.replica.joined = True
    a.replica.unanswered.note("no summary", OverflowError("too large"), monotonic())
    assert a.links.state() == (PartState.DEGRADED, "no summary: OverflowError: too large")


# Peers that are not as they should be


async def alone_with(
    answer: Answer, scene: Callable[[Peer, RawPeer], Coroutine[Any, Any, None]], *, join_seconds: float = 0.3
) -> None:
    a = Peer("a", join_seconds=join_seconds)
    async with served(a), raw_peer(answer) as peer:
        a.links.set_peers([("127.0.0.1", peer.port)])
        a.links.start()
        await scene(a, peer)
        await a.links.stop()


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00garbage\r\n\r\n",
        http(200, b"\xc1"),
        http(200, b""),
        http(200, msgpack.encode({"a": 1})),
        http(200, msgpack.encode([1, "b@1", -5, True])),
        http(200, b"\x94\x01\xa1\xff\x00\xc3"),
        http(500, b"\xff\xfe"),
        None,
    ],
)
def test_a_peer_that_answers_garbage_is_lost_with_an_error_and_harms_nobody(answer: bytes | None) -> None:
    async def scene(a: Peer, peer: RawPeer) -> None:
        await until(lambda: a.replica.joined)
        a.add("r")
        await until(lambda: a.link().sender.failures > 1)
        assert a.link().sender.state is LinkState.LOST
        assert a.link().sender.last_error
        a.links.sweep()
        assert a.live() == {"r"}

    play(alone_with(lambda line, body: answer, scene))


BAD_STATES = {
    "no state": b"\xc1",
    "not compressed": b"plainly",
    "cut off": zlib.compress(b"x" * 100)[:-20],
    "nothing of what was asked": zlib.compress(msgpack.encode([VERSION, []])),
    "a wrong address": zlib.compress(msgpack.encode([1, [[0, [["r", 0, 60, "c", "nowhere", 1, "b@1", 1]]]]])),
}


@pytest.mark.parametrize("body", BAD_STATES.values(), ids=BAD_STATES)
def test_a_pull_that_brings_garbage_ends_and_the_node_is_ready_all_the_same(body: bytes) -> None:
    summary = msgpack.encode(Summary(VERSION, "b@1", True, {"b@1": 5}, [1] * 1024))

    def answer(line: bytes, _: bytes) -> bytes:
        if paths.PUSH.encode() in line:
            return http(200, msgpack.encode(Ack(VERSION, "b@1", 0, True)))
        return http(200, summary if paths.SUMMARY.encode() in line else body)

    async def scene(a: Peer, peer: RawPeer) -> None:
        await until(lambda: a.replica.joined)
        assert a.replica.vector() == {"a@1": 0}
        asked = len(peer.asked)
        a.links.anti_entropy.suspects[a.link().name] = {"requests": frozenset(range(1024))}
        await until(lambda: a.links.anti_entropy.work is not None and a.links.anti_entropy.work.done())
        a.links.sweep()
        await until(lambda: len([1 for line, _ in peer.asked[asked:] if ReplicatedRequests.path.encode() in line]) > 0)
        await until(lambda: a.links.anti_entropy.work is not None and a.links.anti_entropy.work.done())
        assert a.links.anti_entropy.work is not None
        assert a.links.anti_entropy.work.exception() is None
        assert a.live() == set()

    play(alone_with(answer, scene))


def test_a_state_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MAX_STATE_BYTES", 1000)

    async def scene() -> None:
        async with raw_peer(lambda line, body: http(200, zlib.compress(bytes(100_000)))) as peer:
            node = Node("a@1")
            sender = Sender(node.journal, lambda: 1.0)
            link = PeerLink("p", sender, peer.connect, now=lambda: 0.0, observe=print, idle=set())
            with pytest.raises(BadAnswer, match="more than 1000 bytes"):
                await link.state(node.requests, Want(VERSION, [1]))
            link.close()

    play(scene())


def test_a_node_that_joins_pulls_the_caches_too_and_later_ones_are_told() -> None:
    async def scene() -> None:
        a, b = Peer("a"), Peer("b")
        a.save((1, 2, 3), now=monotonic())
        async with served(a, b):
            a.replica.joined = True
            meet(a, b)
            await until(lambda: b.replica.joined)
            await until(lambda: b.index.query("c", (1, 2, 3), 1) == [("10.0.0.1", 3)])
            a.save((4,), ip="10.0.0.2", now=monotonic())
            await until(lambda: b.index.query("c", (4,), 1) == [("10.0.0.2", 1)])
            b.lose(None, now=monotonic())
            await until(lambda: a.index.query("c", (4,), 1) == [])

    play(scene())


@pytest.mark.parametrize("why", ["has yet to pull", "has none", "is gone"])
def test_caches_that_a_peer_cannot_give_whole_are_pulled_from_the_others(why: str) -> None:
    def pulled(peer: Peer) -> bool:
        peer.links.sweep()
        return not peer.pending

    async def scene() -> None:
        a, b, c = Peer("a"), Peer("b"), Peer("c")
        async with served(a, b, c):
            meet(a, b, c)
            await until(lambda: all(peer.replica.joined for peer in (a, b, c)))
            await until(lambda: pulled(a) and pulled(b) and pulled(c))
            c.index.save("c", "10.0.0.1", (7,), monotonic(), 1)  # as if told in an event that a alone has seen
            if why == "has yet to pull":
                a.pending.add("d")
            elif why == "has none":
                none = ReplicatedCaches(None, a.ledger.journal_event, a.stamps.seen, lambda ip: None)
                a.replica.entities = Entities(a.requests, none)
            b.pending.add(f"127.0.0.1:{a.server.port}")
            if why == "is gone":
                b.links.set_peers([("127.0.0.1", c.server.port)])

            await until(lambda: pulled(b))
            assert b.index.query("c", (7,), 1) == [("10.0.0.1", 1)]

    play(scene())


def old_peer(taken: list[bytes]) -> Answer:
    def answer(line: bytes, body: bytes) -> bytes:
        if line != b"POST /v1/replica/event HTTP/1.1":
            return http(404, b"404 page not found")
        taken.append(body)
        return http(200, b"{}")

    return answer


def test_a_peer_that_knows_no_better_gets_events_one_by_one() -> None:
    taken: list[bytes] = []

    async def scene(a: Peer, peer: RawPeer) -> None:
        await until(lambda: a.replica.joined)
        assert a.links.links()
        await until(lambda: a.link().sender.state is LinkState.LEGACY)
        a.add("r")
        a.ledger.done("r", 0.0, 1)
        await until(lambda: len(taken) == 2)
        await until(lambda: a.link().sender.lag_events == 0)
        assert a.link().lost_events == 0

    play(alone_with(old_peer(taken), scene))


def test_an_old_peer_is_asked_now_and_then_whether_it_has_been_replaced() -> None:
    taken: list[bytes] = []
    clock = [1000.0]

    async def scene() -> None:
        async with raw_peer(old_peer(taken)) as peer:
            node = Node("a@1")
            sender = Sender(node.journal, lambda: 1.0)
            link = PeerLink("p", sender, peer.connect, now=lambda: clock[0], observe=print, idle=set())
            running = asyncio.ensure_future(link.run())

            def probes() -> int:
                return sum(b"/push" in line for line, _ in peer.asked)

            for minutes in range(1, 4):
                await until(lambda: probes() == minutes)  # noqa: B023
                for number in range(3):
                    node.add(f"r{minutes}-{number}")
                    link.wake()
                await until(lambda: len(taken) == 3 * minutes)  # noqa: B023 told between the probes, every time
                assert probes() == minutes
                clock[0] += link_module.PROBE_SECONDS + 1
                link.wake()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    play(scene())

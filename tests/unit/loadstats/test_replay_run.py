# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole replays against a small node in the same process."""

from __future__ import annotations

import asyncio
import io
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from loadstats.replay import client
from loadstats.replay.client import CallFailed, GatewayClient, NodeClient, connect
from loadstats.replay.engines import ServiceTimes
from loadstats.replay.measures import Measures, ReplayCall
from loadstats.replay.pace import WINDOW
from loadstats.replay.report import ReplayReport
from loadstats.replay.run import Plan, ReplayRefused, replay
from loadstats.replay.sample import sample_trace
from tests.ports import closed_port

from .fake_node import FakeNode

pytestmark = pytest.mark.usefixtures("patient")


def play(
    node: FakeNode, requests: int = 120, *, stop_at: int | None = None, prepare: Callable[[], Any] = bool, **plan: Any
) -> ReplayReport:
    """Replay a sample: ten minutes of it at 1,000× with engines 100× faster than in life, so in well under a second."""

    async def run() -> ReplayReport:
        async with asyncio.timeout(60), node:
            prepare()
            stop = asyncio.Event()
            if stop_at is not None:
                node.on_add = lambda added: stop.set() if added == stop_at else None
            trace = sample_trace(random.Random(7), requests=requests)
            options: dict[str, Any] = {
                "speed": 1000.0,
                "engines": 5,
                "gateways": 3,
                "cluster": "c 1/ü",
                "run_id": "run",
                "checkpoint_seconds": 0.05,
                "service": ServiceTimes(speed=100.0),
                "ready_seconds": 0.0,
            }
            plan_ = Plan(trace=trace, targets=[node.url], **options | plan)
            return await replay(plan_, Console(file=io.StringIO()), stop)

    return asyncio.run(run())


def calls(report: ReplayReport) -> dict[str, int]:
    return {operation: len(seconds) for operation, seconds in report.measures.seconds.items()}


@pytest.mark.no_cover
@pytest.mark.parametrize("speed", [1000.0, None])
def test_an_honest_node_passes(speed: float | None) -> None:
    node = FakeNode()
    report = play(node, speed=speed)
    assert report.verdict == "120 requests, 0 errors, 0 differences"
    assert report.exit_code == 0
    assert report.checkpoints.passed == report.checkpoints.taken >= 2
    assert node.complaints == []
    assert (node.adds, node.open) == (120, {})
    made = calls(report)
    assert made == dict.fromkeys(ReplayCall, 120)
    assert min(report.measures.most_open, node.most_open) > 5


@pytest.mark.no_cover
def test_it_spreads_the_load_over_the_engines() -> None:
    node, load = FakeNode(), Counter[str]()

    def weigh(added: int) -> None:
        if added == 120:
            load.update(engine for _, engine, _ in node.open.values())

    node.on_add = weigh
    # One gateway, and a window wider than the trace: each request is placed in sight of all before it.
    play(node, speed=None, gateways=1)
    assert sorted(load.values()) == [24] * 5


@pytest.mark.no_cover
def test_by_schedule_it_notes_late_starts_and_flat_out_it_has_none() -> None:
    assert len(play(FakeNode()).measures.lag_seconds) == 120
    assert len(play(FakeNode(), speed=None).measures.lag_seconds) == 0


@pytest.mark.no_cover
def test_by_schedule_nothing_begins_before_its_time() -> None:
    assert min(play(FakeNode()).measures.lag_seconds) >= 0


@pytest.mark.no_cover
def test_flat_out_a_gateway_keeps_a_window_of_requests_open() -> None:
    node = FakeNode()
    play(node, requests=WINDOW + 60, speed=None, gateways=1)
    assert node.most_open == WINDOW


@pytest.mark.no_cover
def test_flat_out_the_seed_decides_the_order_of_calls() -> None:
    def order(seed: int) -> list[str]:
        node, seen = FakeNode(), list[str]()
        node.on_add = lambda _added: seen.append(next(reversed(node.open.values()))[1])
        play(node, speed=None, gateways=1, seed=seed, checkpoint_seconds=60.0)
        return seen

    assert order(1) == order(1) != order(2)


@pytest.mark.no_cover
def test_a_node_that_loses_deletes_differs() -> None:
    node = FakeNode(drop_delete_every=10)
    report = play(node, speed=None)
    assert report.measures.errors.total() == 0
    assert report.checkpoints.differences > 0
    assert report.checkpoints.passed < report.checkpoints.taken
    assert report.exit_code == 1


@pytest.mark.no_cover
def test_the_last_checkpoint_finds_what_a_node_still_counts() -> None:
    node = FakeNode(drop_delete_every=10)
    report = play(node, speed=None, checkpoint_seconds=60.0)
    assert (report.checkpoints.taken, report.checkpoints.passed) == (1, 0)
    left = Counter(engine for _, engine, _ in node.open.values())
    differences = [found.difference for found in report.checkpoints.first_differences]
    assert {each.engine: each.shown for each in differences if each.member == "queued_req_num"} == left != {}


def test_a_node_that_fails_sometimes_has_errors_and_differs_only_where_an_end_failed_for_good() -> None:
    node = FakeNode(fail_every=13)
    report = play(node)
    assert {reason for _, reason in report.measures.errors} == {"HTTP 500"}
    assert {operation for operation, _ in report.measures.errors} == set(ReplayCall)
    assert report.exit_code == 1
    # What was in doubt has been ended once more; the last checkpoint shows where that failed again.
    left = {(report.checkpoints.taken, engine) for _, engine, _ in node.open.values()}
    found = report.checkpoints.first_differences
    assert {(each.checkpoint, each.difference.engine) for each in found} == left
    assert len(node.open) <= math.ceil(report.measures.errors_of(ReplayCall.DONE) / 13)


@pytest.mark.no_cover
def test_a_node_that_dies_gives_errors_only() -> None:
    report = play(FakeNode(fail_after=100), speed=None)
    assert report.measures.errors.total() > 100
    assert report.checkpoints.differences == 0
    assert report.checkpoints.passed < report.checkpoints.taken
    assert list(report.measures.targets) == report.checkpoints.missing
    assert report.exit_code == 1


@pytest.mark.no_cover
def test_a_call_that_is_carried_out_and_not_answered_is_an_error_whose_outcome_is_open() -> None:
    node = FakeNode(cut_on=60)
    report = play(node, speed=None)
    assert [operation for operation, _ in report.measures.errors.elements()] == [ReplayCall.ADD]
    assert report.checkpoints.passed == report.checkpoints.taken
    assert node.adds == 120
    assert node.open == {}


def test_a_stop_ends_the_open_requests_and_reports() -> None:
    node = FakeNode()
    report = play(node, requests=2000, stop_at=40, speed=None)
    assert report.interrupted
    assert 40 <= report.measures.begun < 60
    assert node.open == {}
    assert report.checkpoints.differences == 0
    assert report.exit_code == 130


def test_it_refuses_a_cluster_that_is_in_use() -> None:
    node = FakeNode()

    def occupy() -> None:
        node.engines["c 1/ü"] = {"10.9.9.9"}
        node.open["theirs"] = ("c 1/ü", "10.9.9.9", 0)

    with pytest.raises(ReplayRefused, match=r"--cluster c 1/ü: in use by others, engine 10\.9\.9\.9 has 1 requests"):
        play(node, prepare=occupy)
    assert list(node.open) == ["theirs"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "not the contract's envelope"),
        (b'{"status":"OK","data":[{"ip":1}]}', "not the contract's envelope"),
        (b'{"status":"ERROR","data":null}', "not OK in the envelope"),
    ],
)
def test_it_refuses_a_target_that_is_no_node(body: bytes, reason: str) -> None:
    with pytest.raises(ReplayRefused, match=rf"--target http://127\.0\.0\.1:\d+: {reason}"):
        play(FakeNode(garble=body))


def test_a_call_to_nobody_cannot_connect() -> None:
    async def ask(url: str) -> None:
        measures = Measures([url])
        async with connect(url) as session:
            gateway = GatewayClient([NodeClient(session)], measures, asyncio.get_running_loop().time)
            with pytest.raises(CallFailed, match="cannot connect: Connection refused"):
                await gateway.add("c", "r", "a", 1)
        assert measures.errors.total() == 1
        assert measures.errors_of(ReplayCall.ADD) == 1
        assert measures.calls == 1

    with closed_port() as port:
        asyncio.run(ask(f"http://127.0.0.1:{port}"))


def test_a_call_that_is_not_answered_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.5)

    async def ask() -> None:
        gone = asyncio.Event()

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the client gives up
            writer.close()
            await writer.wait_closed()
            gone.set()

        measures = Measures(["it"])
        server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(60), server, connect(url) as session:
            with pytest.raises(CallFailed, match=r"no answer in 0\.5 s"):
                await GatewayClient([NodeClient(session)], measures, asyncio.get_running_loop().time).add(
                    "c", "r", "a", 1
                )
            await gone.wait()
        assert measures.errors == {(ReplayCall.ADD, "no answer in 0.5 s"): 1}

    asyncio.run(ask())


def test_a_connection_that_is_closed_without_an_answer_is_an_error() -> None:
    async def ask() -> None:
        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server, connect(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as session:
            gateway = GatewayClient([NodeClient(session)], Measures(["it"]), asyncio.get_running_loop().time)
            with pytest.raises(CallFailed, match=r"ServerDisconnectedError|ClientOSError"):
                await gateway.add("c", "r", "a", 1)

    asyncio.run(ask())

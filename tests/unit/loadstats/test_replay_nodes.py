# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole replays against two or three small nodes that tell each other what they took."""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest
from rich.console import Console

from loadstats.replay.client import GatewayClient, NodeClient, connect
from loadstats.replay.engines import ServiceTimes
from loadstats.replay.measures import Measures
from loadstats.replay.report import ReplayReport
from loadstats.replay.route import BREAKER_FAILURES, node_of
from loadstats.replay.run import Plan, replay
from loadstats.replay.sample import sample_trace

from .fake_node import FakeNode

pytestmark = pytest.mark.usefixtures("patient")


async def enter(stack: AsyncExitStack, nodes: list[FakeNode]) -> None:
    for node in nodes:
        await stack.enter_async_context(node)
        node.peers = [peer for peer in nodes if peer is not node]


def play(nodes: list[FakeNode], requests: int = 150, **plan: Any) -> ReplayReport:
    async def run() -> ReplayReport:
        async with asyncio.timeout(300), AsyncExitStack() as stack:
            await enter(stack, nodes)
            options: dict[str, Any] = {
                "trace": sample_trace(random.Random(7), requests=requests),
                "targets": [node.url for node in nodes],
                "speed": None,
                "engines": 12,
                "gateways": 2,
                "cluster": "run",
                "clusters": 6,
                "run_id": "run",
                "checkpoint_seconds": 0.05,
                "service": ServiceTimes(speed=100.0),
                "settle_seconds": 0.02,
                "ready_seconds": 30.0,
            }
            return await replay(Plan(**options | plan), Console(file=io.StringIO()), asyncio.Event())

    return asyncio.run(run())


def by_list(nodes: list[FakeNode]) -> list[FakeNode]:
    """As the client sorts them; ports come as they come."""
    return sorted(nodes, key=lambda node: node.url)


def test_honest_nodes_pass_and_all_are_used() -> None:
    nodes = [FakeNode(), FakeNode(), FakeNode()]
    report = play(nodes)
    assert report.verdict == "150 requests, 0 errors, 0 differences"
    assert report.exit_code == 0
    assert all(node.complaints == [] for node in nodes)
    # Adds go by cluster, two clusters a node; all deletes go where an empty cluster does.
    assert [node.by_method["POST"] for node in by_list(nodes)] == [50, 50, 50]
    assert [node.by_method["DELETE"] for node in by_list(nodes)] == [0, 300, 0]
    for target, witness in report.checkpoints.witnesses.items():
        assert witness.passed == report.checkpoints.taken == len(witness.settled)
        assert report.measures.targets[target].failures.total() == 0
    assert sum(each.calls for each in report.measures.targets.values()) == report.measures.calls == 600


@pytest.mark.no_cover
def test_a_node_that_replicates_badly_differs() -> None:
    bad = FakeNode(lose_every=9)
    nodes = [bad, FakeNode()]
    report = play(nodes, clusters=4)
    assert report.measures.errors.total() == 0
    assert report.checkpoints.differences > 0
    assert report.exit_code == 1
    # What it lost, the other one lacks; it may also lack the end of what it was told before.
    assert nodes[1].url in {found.target for found in report.checkpoints.first_differences}
    assert report.checkpoints.witnesses[nodes[1].url].differed > 0
    assert {found.cluster for found in report.checkpoints.first_differences} <= {*bad.engines}


@pytest.mark.no_cover
def test_a_node_that_dies_and_comes_back_costs_fail_overs_only() -> None:
    dying = FakeNode(die_on=60, revive_on=25)
    report = play([dying, FakeNode(), FakeNode()], requests=400)
    assert report.verdict == "400 requests, 0 errors, 0 differences"
    own = report.measures.targets[dying.url]
    others = [each for target, each in report.measures.targets.items() if target != dying.url]
    assert own.failed_over >= own.failures.total() > 0
    assert all(each.failed_over == each.failures.total() == 0 for each in others)
    assert report.checkpoints.witnesses[dying.url].settled
    assert report.checkpoints.missing == []
    assert report.exit_code == 0


@pytest.mark.no_cover
def test_a_node_that_stays_away_is_left_out_and_missing_at_the_end() -> None:
    dying = FakeNode(die_on=60)
    report = play([dying, FakeNode(), FakeNode()], requests=400, ready_seconds=0.0)
    assert report.verdict == f"400 requests, 0 errors, 0 differences, not there at the end: {dying.url}"
    assert report.exit_code == 1
    witness = report.checkpoints.witnesses[dying.url]
    assert report.checkpoints.taken in witness.skipped
    assert all(reason in {"ServerDisconnectedError", "ClientOSError"} for reason in witness.skipped.values())
    own = report.measures.targets[dying.url]
    assert own.openings > 0
    # It opens after so many failures, and again after the next one when its time is over, if the replay takes so long.
    assert own.failed_over > own.failures.total() >= own.openings + BREAKER_FAILURES - 1


@pytest.mark.no_cover
def test_calls_that_fail_on_both_nodes_are_errors() -> None:
    report = play([FakeNode(die_on=100), FakeNode(die_on=100)], requests=60, clusters=4, ready_seconds=0.0)
    assert report.measures.errors.total() > 0
    assert len(report.checkpoints.missing) == 2
    assert report.checkpoints.passed < report.checkpoints.taken
    assert report.exit_code == 1


@pytest.mark.no_cover
def test_at_the_end_it_waits_for_a_node_that_is_not_ready_yet() -> None:
    late = FakeNode(unready=3)
    report = play([late, FakeNode()], clusters=4, checkpoint_seconds=60.0)
    assert report.verdict == "150 requests, 0 errors, 0 differences"
    assert report.checkpoints.witnesses[late.url].skipped == {}


@pytest.mark.no_cover
def test_a_node_that_never_is_ready_is_said_so() -> None:
    never = FakeNode(unready=-1)
    report = play([never, FakeNode()], clusters=4, checkpoint_seconds=60.0, ready_seconds=0.0)
    assert report.checkpoints.witnesses[never.url].skipped == {1: "not ready"}
    assert report.exit_code == 1


def test_a_call_fails_over_once_and_past_an_open_breaker_goes_straight_to_the_next_node() -> None:
    async def run() -> None:
        async with asyncio.timeout(300), AsyncExitStack() as stack:
            nodes = [FakeNode(), FakeNode(), FakeNode()]
            await enter(stack, nodes)
            urls = sorted(node.url for node in nodes)
            ordered = by_list(nodes)
            clients = [NodeClient(await stack.enter_async_context(connect(url))) for url in urls]
            measures, now = Measures(urls), 0.0
            client = GatewayClient(clients, measures, lambda: now)
            place = node_of("", 3)
            ordered[place].fail_after = -1
            first, after = ordered[place], ordered[(place + 1) % 3]
            for _ in range(BREAKER_FAILURES + 5):
                await client.done("r")
            target = measures.targets[first.url]
            assert (first.calls, after.calls) == (BREAKER_FAILURES, BREAKER_FAILURES + 5)
            assert (target.calls, target.failed_over, target.openings) == (10, 15, 1)
            now += 5.0
            first.fail_after = 0
            await client.done("r")
            assert (first.calls, after.calls) == (BREAKER_FAILURES + 1, BREAKER_FAILURES + 5)
            assert measures.errors.total() == 0

    asyncio.run(run())

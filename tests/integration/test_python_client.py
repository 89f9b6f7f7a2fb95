# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The Python client against real nodes: what it reports is what they count, also where nodes are killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from threading import Event, Thread
from time import thread_time

import pytest
from metadata_center_client import AsyncClient, AsyncReporter, Client, Reporter, TrackedRequest
from metadata_center_client.live import follow, follow_async

from tests.clusters import Cluster, running_cluster, wait
from tests.nodes import CALL_SECONDS

pytestmark = pytest.mark.slow
CLUSTER = "client"
THREADS = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("client"), 3) as nodes:
        yield nodes


@pytest.fixture
def urls(cluster: Cluster) -> list[str]:
    return [f"http://{node.address}:{node.port}" for node in cluster.nodes]


class Traffic:
    """Threads that begin and end requests through one reporter. `open`: those that have not ended."""

    def __init__(self, reporter: Reporter, prefix: str) -> None:
        self.open: dict[str, TrackedRequest] = {}
        self.made = 0
        self._reporter = reporter
        self._prefix = prefix
        self._stopping = Event()
        self._threads = [Thread(target=self._run, args=(number,), daemon=True) for number in range(THREADS)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        random, mine, number = Random(seed), [], 0
        while not self._stopping.wait(0.001):  # a pace, not a wait for anything
            if len(mine) < 20 or random.random() < 0.5:
                number += 1
                picked = random.random() < 0.2
                name = f"{self._prefix}-{seed}-{number}"
                place = {} if picked else {"ip": f"10.0.0.{random.randrange(1, 9)}"}
                request = self._reporter.request(CLUSTER, name, prompt_length=random.randrange(100), **place)
                if not request.engine:
                    request.sent_to("10.0.0.1")
                self.open[name] = request
                mine.append(name)
                self.made += 1
            else:
                name = mine.pop(random.randrange(len(mine)))
                request = self.open.pop(name)
                request.first_token()
                request.end()


def test_nothing_is_lost_or_counted_twice_where_nodes_are_killed(cluster: Cluster, urls: list[str]) -> None:
    with Client(urls) as client, Reporter(client) as reporter:
        with Traffic(reporter, "soak") as traffic:
            for place in (0, 1, 2, 0):
                enough = traffic.made + 500
                wait(lambda enough=enough: traffic.made > enough, "traffic")
                cluster.nodes[place].kill()
                enough = traffic.made + 500
                wait(lambda enough=enough: traffic.made > enough, "traffic without it")
                cluster.nodes[place].start()
                cluster.wait_ready(place)
        assert reporter.close(CALL_SECONDS)
        assert (reporter.outbox.dropped, reporter.outbox.refused) == (0, 0), reporter.outbox.last_refusal
    expected = set(traffic.open)
    for node in cluster.nodes:
        wait(lambda node=node: set(node.live("soak-")) == expected, f"{node.address} has what is open and no more")


def test_a_live_copy_follows_and_survives_its_node(cluster: Cluster, urls: list[str]) -> None:
    with Client(urls, timeout_seconds=CALL_SECONDS) as client, follow(urls, "followed") as copy:
        client.start("followed", "f1", "10.0.0.1", port=8000)
        wait(lambda: copy.engines["10.0.0.1:8000"].queued_req_num == 1 if copy.engines else False, "the first request")
        for place in range(3):
            cluster.nodes[place].kill()
            cluster.nodes[place].start()
            cluster.wait_ready(place)
        client.start("followed", "f2", "10.0.0.1", port=8000)
        wait(lambda: copy.engines["10.0.0.1:8000"].queued_req_num == 2 and copy.live, "the second request")


def test_with_asyncio_a_request_counts_from_its_pick_to_its_end(cluster: Cluster, urls: list[str]) -> None:
    async def serve() -> None:
        async with (
            AsyncClient(urls, timeout_seconds=CALL_SECONDS) as client,
            AsyncReporter(client, owner="gw") as reporter,
        ):
            await client.start("async", "other", "10.0.0.2")
            async with follow_async(urls, "async") as copy:
                async with await reporter.request("async", "a1", candidates=["10.0.0.1", "10.0.0.2"]) as request:
                    assert request.engine == "10.0.0.1"
                    (state,) = [await client.request("a1")]
                    assert (state.phase, state.owner) == ("prefill", "gw")
                    request.first_token()
                async with asyncio.timeout(CALL_SECONDS):
                    while "10.0.0.1" not in copy.engines or copy.engines["10.0.0.1"].queued_req_num:
                        await asyncio.sleep(0.01)  # between two looks, not in place of one

    asyncio.run(serve())
    wait(lambda: [node.live("a1") for node in cluster.nodes] == [{}, {}, {}], "it is over on all nodes")


def test_gateways_history_events_and_nodes_are_read(cluster: Cluster, urls: list[str]) -> None:
    with Client(urls, timeout_seconds=CALL_SECONDS) as client, Client(urls[:1], timeout_seconds=CALL_SECONDS) as first:
        client.heartbeat("lister")
        client.start("listed", "l1", "10.0.0.1", owner="lister")

        def requests() -> int:
            return sum(gateway.requests for gateway in client.owners(owner="lister").owners)

        wait(lambda: requests() == 1, "the gateway's request is listed")
        assert client.end_owner("lister", dry_run=True).requests == 1
        assert client.end_owner("lister").ended == 1
        assert "queued_req_num" in client.history(range="15m").series
        assert "node_started" in {event.kind for event in client.events().events}
        assert len(first.peers().peers) == 2
        assert first.ready().parts
        assert first.alive() == "alive"
        assert first.version().python
        assert first.clients()
        assert "level" in first.log_level("INFO")
    wait(lambda: not any(node.live("l1") for node in cluster.nodes), "its request has ended")


def test_a_request_costs_its_caller_a_tenth_of_a_millisecond_at_most(urls: list[str]) -> None:
    def cost(reporter: Reporter, prefix: str) -> float:
        began = thread_time()
        for number in range(1000):
            with reporter.request("cost", f"{prefix}-{number}", ip="10.0.0.1", prompt_length=10) as request:
                request.first_token()
        return (thread_time() - began) / 1000

    with Client(urls, timeout_seconds=CALL_SECONDS) as client, Reporter(client, gather_seconds=0.05) as reporter:
        best = min(cost(reporter, f"round-{attempt}") for attempt in range(5))
    assert best < 0.0001, f"{best * 1e6:.1f} µs"

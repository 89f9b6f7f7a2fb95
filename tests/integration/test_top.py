# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center top` in real terminals of several sizes, over real nodes under traffic."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from metadata_center_client import Client, Reporter, TrackedRequest

from tests.clusters import Cluster, running_cluster
from tests.nodes import CALL_SECONDS, ROOT
from tests.terminals import Terminal, terminal

pytest.importorskip("textual", reason="needs the client's extra top")
pytestmark = pytest.mark.slow
SIZES = [(80, 24), (120, 40), (200, 60)]
LONG = "a-model-with-a-name-that-is-far-too-long-for-a-small-terminal-" + "x" * 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("top"), 2) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def urls(cluster: Cluster) -> list[str]:
    return [f"http://{node.address}:{node.port}" for node in cluster.nodes]


@pytest.fixture(scope="module")
def traffic(urls: list[str]) -> Iterator[None]:
    """Two gateways that begin and end requests in three clusters all the time."""
    over = Event()

    def serve(reporter: Reporter, random: Random) -> None:
        live: list[TrackedRequest] = []
        while not over.wait(0.01):  # a pace, not a wait for anything
            name = random.choice(["llama", "qwen", LONG])
            engine = f"10.0.0.{random.randrange(1, 9)}"
            live.append(reporter.request(name, ip=engine, port=8000, prompt_length=random.randrange(4_000)))
            live[-1].tokens(input_tokens=1_000, output_tokens=10)
            if random.random() < 0.5:
                live[-1].first_token()
            if len(live) > 40:
                live.pop(random.randrange(len(live))).end()

    with Client(urls, timeout_seconds=CALL_SECONDS) as client:
        reporters = [Reporter(client, owner=f"gateway-{number}") for number in (1, 2)]
        threads = [Thread(target=serve, args=(each, Random(seed))) for seed, each in enumerate(reporters)]
        for thread in threads:
            thread.start()
        yield
        over.set()
        for thread in threads:
            thread.join()
        for reporter in reporters:
            reporter.close(CALL_SECONDS)


@pytest.fixture
def top(request: pytest.FixtureRequest, urls: list[str], traffic: None, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with `top` in it; the test's parameter is its size."""
    command = [sys.executable, "manage.py", "top", *urls]
    found = {"PYTHONPATH": str(ROOT / "clients" / "python" / "src"), "COLORTERM": "truecolor"}
    with terminal(tmp_path, command, request.param, found, ROOT) as shown:
        yield shown


@pytest.mark.parametrize("top", SIZES, indirect=True, ids=str)
def test_all_is_there_and_nothing_is_cut_but_names(top: Terminal, request: pytest.FixtureRequest) -> None:
    columns, lines = request.node.callspec.params["top"]
    screen = top.shows("all clusters", "qwen", "in flight", "in prefill", "quit")
    assert max(map(len, screen.splitlines())) <= columns
    assert len(screen.splitlines()) == lines
    for title in ("cluster", "engines", "▼in flight", "prefill", "prompt", "tokens", "orphans"):
        assert title in screen
    assert LONG[:12] in screen
    top.press("2")
    top.shows("▸2 Gateways", "gateway-1", "gateway-2", "alive")
    top.press("3")
    top.shows("▸3 Peers", "connected")
    top.press("1", "Enter")
    top.shows("cluster ", "10.0.0.", ":8000", "▸1 Engines")
    top.press("?")
    top.shows("Any key closes this page.")
    top.press("x")
    top.hides("Any key closes this page.")
    top.press("Escape")
    top.shows("all clusters")
    top.press("q")
    assert top.exit_code() == 0
    assert "Traceback" not in top.screen


@pytest.mark.parametrize("top", [(80, 24)], indirect=True, ids=str)
def test_a_filter_and_another_size(top: Terminal) -> None:
    top.shows("qwen", "llama")
    top.press("/")
    top.type("QWE")
    top.press("Enter")
    screen = top.shows("filter: QWE", "(1 of 3)")
    assert "llama" not in screen
    top.resize(160, 50)
    top.shows("filter: QWE", "Gateways", "Peers", "of the busiest")
    top.resize(80, 24)
    top.shows("2 Gateways   3 Peers")


@pytest.mark.parametrize("top", [(120, 40)], indirect=True, ids=str)
def test_nodes_that_die_are_named_and_one_that_is_back_takes_over(
    top: Terminal, cluster: Cluster, urls: list[str]
) -> None:
    """Both die: which one is asked depends on how busy the machine is."""
    top.shows("all clusters", "qwen")
    dead = list(cluster.nodes)
    for node in dead:
        node.kill()
    try:
        top.shows("No node answers. These numbers are", *(f"{url} is away: " for url in urls), "qwen")
        dead.pop().start()
        top.hides("No node answers.")
        top.shows(f"{urls[0]} is away: ", f"node {urls[1]}", "qwen")
    finally:
        for node in dead:
            node.start()
        for place in range(len(urls)):
            cluster.wait_ready(place)
    top.press("C-c")
    assert top.exit_code() == 0

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages over a bad line, as an operator has it on a train: few requests, few bytes, live within seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Tab
from tests.nodes import NodeProcess, running_node

LATENCY_MS, BYTES_A_SECOND = 1500, 20_000
REQUESTS, BYTES, LIVE_MS = 10, 60_000, 8000
TRIES = 3  # the best counts: others have their share of the machine

LOADED = """(() => {
  const painted = performance.getEntriesByName('first-contentful-paint')[0].startTime;
  const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const before = all.filter((each) => each.startTime <= painted);
  return [before.length, before.reduce((sum, each) => sum + each.transferSize, 0), all.map((each) => each.name)];
})()"""
LIVE = "document.getElementById('sign').dataset.state === 'live'"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("node")) as node:
        for number in range(300):
            load = {"cluster": f"c{number % 40}", "request_id": f"r{number}", "ip": f"10.0.0.{number % 250}"}
            node.call("POST", "/v1/load/stats", load)
        yield node


@pytest.fixture
def slow(tab: Tab) -> Iterator[Tab]:
    """The tab behind a bad line, with nothing in its cache."""
    tab.call("Network.enable")
    yield tab
    emulate(tab, 0, -1)


def emulate(tab: Tab, latency: float, throughput: float) -> None:
    speed = {"downloadThroughput": throughput, "uploadThroughput": throughput}
    tab.call("Network.emulateNetworkConditions", offline=False, latency=latency, **speed)


@pytest.mark.parametrize("path", ["/console/", "/console/clusters/c1/", "/console/nodes/", "/console/request/?id=r1"])
def test_a_page_is_painted_and_live_over_a_bad_line(node: NodeProcess, slow: Tab, path: str) -> None:
    seen = []
    for _ in range(TRIES):
        slow.open("about:blank")
        slow.call("Network.clearBrowserCache")
        emulate(slow, LATENCY_MS, BYTES_A_SECOND)
        slow.open(f"http://{node.host}:{node.port}{path}")
        slow.until(LIVE)
        live_ms = slow.run("performance.now()")
        requests, size, names = slow.run(LOADED)
        seen.append((requests, size, round(live_ms), names))
        if requests <= REQUESTS and size <= BYTES and live_ms <= LIVE_MS:
            return
    raise AssertionError(seen)


def test_a_second_visit_loads_nothing_but_the_page(node: NodeProcess, slow: Tab) -> None:
    for path in ("/console/clusters/c1/", "/console/clusters/c2/"):
        slow.open(f"http://{node.host}:{node.port}{path}")
        slow.until(LIVE)
    files = "performance.getEntriesByType('resource').filter((each) => each.name.includes('/static/'))"
    assert slow.run(f"{files}.length") > 0
    assert slow.run(f"{files}.filter((each) => each.transferSize > 0).map((each) => each.name)") == []

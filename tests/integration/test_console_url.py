# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`[Node] ConsoleUrl` on two real nodes behind proxies: links to the other node's pages lead through its proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.clusters import Cluster, Wire, running_cluster, wait, wired
from tests.nodes import CALL_SECONDS


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, list[Wire]]]:
    """Two nodes, and a proxy in front of each that is its ConsoleUrl."""
    proxies: list[Wire] = []
    with ExitStack() as stack:

        def put_proxies(cluster: Cluster) -> None:
            proxies.extend(Wire((node.address, node.port)) for node in cluster.nodes)
            stack.enter_context(wired(proxies))
            for node, proxy in zip(cluster.nodes, proxies, strict=True):
                proxy.recorded = bytearray()
                node.set(METADATA_CENTER_NODE_CONSOLE_URL=f"http://127.0.0.1:{proxy.port}/")

        folder = tmp_path_factory.mktemp("nodes")
        cluster = stack.enter_context(running_cluster(folder, 2, prepare=put_proxies))
        wait(cluster.connected, "the nodes are connected")
        wait(lambda: all(node.peers()[0]["console_url"] for node in cluster.nodes), "each knows the other's ConsoleUrl")
        yield cluster, proxies


def page(address: str) -> str:
    """The page at an address, as a browser gets it."""
    place = urlsplit(address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=CALL_SECONDS)
    try:
        connection.request("GET", f"{place.path}?{place.query}", headers={"Accept": "text/html"})
        answer = connection.getresponse()
        assert answer.status == 200, address
        return answer.read().decode()
    finally:
        connection.close()


def links(text: str, path: str) -> list[str]:
    """The addresses in a page that lead to a path of another origin."""
    found = [unescape(each) for each in re.findall(r'href="(https?://[^"]+)"', text)]
    return [each for each in found if urlsplit(each).path == path]


@pytest.mark.parametrize("here", [0, 1])
def test_the_nodes_page_leads_to_the_peers_through_its_proxy(proxied: tuple[Cluster, list[Wire]], here: int) -> None:
    cluster, proxies = proxied
    node, other, proxy = cluster.nodes[here], cluster.nodes[1 - here], proxies[1 - here]
    found = set(links(page(f"http://{node.address}:{node.port}/console/nodes/"), "/console/nodes/"))
    found -= {f"http://127.0.0.1:{proxies[here].port}/console/nodes/"}  # its own, for the reader to pass on
    assert found == {f"http://127.0.0.1:{proxy.port}/console/nodes/"}
    assert proxy.recorded is not None
    carried = len(proxy.recorded)
    text = page(found.pop())
    assert len(proxy.recorded) > carried
    assert f"{other.address}:{other.port}" in re.sub(r"<table.*?</table>", "", text, flags=re.DOTALL)


def test_an_unknown_request_is_asked_for_at_the_peer_through_its_proxy(proxied: tuple[Cluster, list[Wire]]) -> None:
    cluster, proxies = proxied
    node = cluster.nodes[0]
    (link,) = links(page(f"http://{node.address}:{node.port}/console/request/?id=a%2Fb"), "/console/request/")
    assert link == f"http://127.0.0.1:{proxies[1].port}/console/request/?id=a%2Fb"
    assert "a/b" in page(link)

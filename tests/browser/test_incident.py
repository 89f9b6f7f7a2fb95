# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An incident, as an operator meets it: what is wrong is found from the overview in three clicks or keys at most,
without knowing a name, and the link of what was found shows the same to somebody else.

Two real nodes, forty clusters, thirty gateways. One gateway does not report its ends, one engine is hot, the peer
receives events late, and a third node was cold ten minutes ago.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import msgpack

from replication.notices import NoticesWanted
from replication.paths import NOTICES, VERSION
from runtime.notices.kind import Kind, Severity
from runtime.notices.notice import NoticeCopy
from tests.browser.chromium import Tab, chromium
from tests.clusters import Cluster, running_cluster, wait

pytestmark = pytest.mark.slow

CLUSTERS, ENGINES, GATEWAYS = 40, 6, 30
HOT, LEAK = "model-23", "gateway-17"
HOT_ENGINE = "10.23.0.4"
COLD_NODE = "10.0.0.9:8080"
COLD_AGE_MS = 600_000
MOST_ACTS = 3
EXPIRE_SECONDS = 40  # an oldest request of 10 s is stale; heartbeats keep all from ending

ROWS = "[...document.querySelectorAll('main tbody tr:not(.spacer) th, #events .what')].map((each) => each.innerText)"
# A page of a moment ago may still be there while the next one loads.
SETTLED = "document.readyState === 'complete' && document.getElementById('sign')?.dataset.state === 'live'"


class Operator:
    """A person with a mouse and keys. `acts` counts what they did since they opened the overview."""

    def __init__(self, tab: Tab, site: str) -> None:
        self._tab = tab
        self._site = site
        self.acts = 0

    def begin(self) -> None:
        """Open the overview."""
        self._tab.open(f"{self._site}/console/")
        self._tab.until(SETTLED)
        self.acts = 0

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that a selector finds, once it is there."""
        found = f"document.querySelector({selector!r})"
        self._tab.until(found)
        where = self._tab.run(
            f"{found}.scrollIntoView({{block: 'center'}}), (({{x, y, width, height}}) => "
            f"[x + width / 2, y + height / 2])({found}.getClientRects()[0])"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._tab.call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)
        self.acts += 1

    def press(self, key: str) -> None:
        """Press a key."""
        self._tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        self._tab.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.acts += 1

    def address(self) -> str:
        """Return where they are."""
        return str(self._tab.run("location.href"))

    def sees(self, path: str) -> list[str]:
        """Return the rows of the page at a path, once the acts have led there and it is live."""
        self._tab.until(f"location.pathname.startsWith({path!r}) && {SETTLED} && {ROWS}.length")
        assert self.acts <= MOST_ACTS
        rows: list[str] = self._tab.run(ROWS)
        return rows


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    environment = {"METADATA_CENTER_LOAD_REQ_EXPIRE": f"{EXPIRE_SECONDS}s"}
    with running_cluster(tmp_path_factory.mktemp("nodes"), 2, wires=True, environment=environment) as cluster:
        wait(cluster.connected, "the nodes are connected")
        node = cluster.nodes[0]
        node.many(("PUT", "/v1/load/owner", {"owner": f"gateway-{n:02}", "ttl_seconds": 3600}) for n in range(GATEWAYS))
        node.many(_requests())
        node.call("POST", NOTICES, msgpack.encode(NoticesWanted(VERSION, {}, [_cold_start()])))
        yield cluster


def _requests() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Two requests on each engine; as many again, but of one gateway; and many on one engine, of all gateways."""
    engines = [(f"model-{c:02}", f"10.{c}.0.{e}") for c in range(CLUSTERS) for e in range(ENGINES)]
    for number, (cluster, ip) in enumerate(engines * 2):
        yield _add(f"usual-{number}", cluster, ip, f"gateway-{number % GATEWAYS:02}")
    for number, (cluster, ip) in enumerate(engines):
        yield _add(f"leaked-{number}", cluster, ip, LEAK)
    for number in range(GATEWAYS * 2):
        yield _add(f"hot-{number}", HOT, HOT_ENGINE, f"gateway-{number % GATEWAYS:02}")


def _cold_start() -> NoticeCopy:
    """Return what a node that stops hands to its peers: it was cold ten minutes ago."""
    text = f"Node {COLD_NODE} is cold: it began with nothing, and may lack requests reported before"
    ages = (COLD_AGE_MS, COLD_AGE_MS)
    return NoticeCopy(
        f"{COLD_NODE}@1", 1, 1, Kind.COLD_STARTED, Severity.WARNING, COLD_NODE, *ages, 1, "", "", "", "", "", text
    )


def _add(request_id: str, cluster: str, ip: str, owner: str) -> tuple[str, str, dict[str, object]]:
    body = {"request_id": request_id, "cluster": cluster, "ip": ip, "prompt_length": 100, "owner": owner}
    return "POST", "/v1/load/stats", body


@pytest.fixture
def operator(incident: Cluster, tab: Tab) -> Operator:
    operator = Operator(tab, _site(incident))
    operator.begin()
    return operator


def _site(incident: Cluster) -> str:
    return f"http://{incident.nodes[0].address}:{incident.nodes[0].port}"


@pytest.fixture
def shared(tab: Tab, tmp_path: Path) -> Callable[[], None]:
    """Open the tab's address in a browser of somebody else, and see that it shows the same."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))

    def look() -> None:
        with chromium(program, tmp_path / "chromium") as other:
            other.open(tab.run("location.href"))
            other.until(f"{SETTLED} && {ROWS}.length")
            # Both are live: what one shows a moment before the other is no difference.
            wait(lambda: other.run(ROWS) == tab.run(ROWS), "both show the same")
            assert other.complaints == []

    return look


@pytest.mark.parametrize("way", ["strip", "keys"])
def test_the_gateway_that_leaks_is_found(
    incident: Cluster, operator: Operator, shared: Callable[[], None], way: str
) -> None:
    if way == "strip":
        operator.click("#attention [data-key=leak] a")
    else:
        operator.press("g")
        operator.press("w")
    rows = operator.sees("/console/gateways/")
    assert rows[0] == LEAK
    assert len(rows) == (1 if way == "strip" else GATEWAYS)
    shared()


def test_the_hot_engine_is_found_and_its_page(operator: Operator, shared: Callable[[], None]) -> None:
    operator.click("#attention [data-key=imbalance] a")
    rows = operator.sees(f"/console/clusters/{HOT}/")
    assert rows[0] == HOT_ENGINE
    assert len(rows) == ENGINES
    shared()
    operator.click("#engines tbody a")
    operator.sees("/console/engine/")
    assert HOT_ENGINE in operator.address()
    shared()


def test_the_peer_that_receives_events_late_is_found(
    incident: Cluster, operator: Operator, shared: Callable[[], None]
) -> None:
    incident.wires[0, 1].cut()
    try:
        incident.nodes[0].many([_add("late", "model-00", "10.0.0.0", LEAK)])
        operator.click("#attention :is([data-key=lag], [data-key=lost]) a")
        rows = operator.sees("/console/nodes/")
        assert any(f":{incident.wires[0, 1].port}" in row for row in rows)
        shared()
    finally:
        incident.mend()


def test_the_node_that_was_cold_is_found(operator: Operator, shared: Callable[[], None]) -> None:
    operator.click("#attention [data-key=past_cold] a")
    rows = operator.sees("/console/events/")
    assert any(row.startswith(f"Node {COLD_NODE} is cold") for row in rows)
    shared()

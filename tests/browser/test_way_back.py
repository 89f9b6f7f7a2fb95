# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""From a page of the console to the admin, through the log-in, and back to the same view."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import pages
from tests.browser.chromium import Tab
from tests.nodes import NodeProcess, running_node

LIVE = pages.LIVE
ENGINES = "[...document.querySelectorAll('#engines tbody tr:not(.spacer) th')].map((each) => each.innerText).join()"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    folder = tmp_path_factory.mktemp("node")
    pages.make_accounts(folder)
    with running_node(folder) as node:
        for number, ip in enumerate(("10.4.0.1", "10.4.0.2", "10.5.0.1")):
            body = {"cluster": "a b", "request_id": f"r/{number}", "ip": ip, "owner": "gw"}
            node.call("POST", "/v1/load/stats", body)
        yield node


@pytest.fixture
def wide(tab: Tab) -> Iterator[Tab]:
    """The tab on a screen with room for every column."""
    tab.call("Emulation.setDeviceMetricsOverride", width=1440, height=900, deviceScaleFactor=1, mobile=False)
    yield tab
    tab.call("Emulation.clearDeviceMetricsOverride")


def follow(tab: Tab, words: str) -> None:
    """Follow the link, or press the button, that says so, and wait for the page that it leads to."""
    found = f"[...document.querySelectorAll('main a, main button')].find((each) => each.innerText.trim() === '{words}')"
    tab.until(found)
    tab.run("window.before = true")
    tab.run(f"{found}.click()")
    tab.until("!window.before && document.readyState === 'complete'")


def log_in(tab: Tab) -> None:
    tab.until("document.querySelector('#login-form')")
    tab.run(f"document.querySelector('[name=username]').value = '{pages.NAME}'")
    tab.run(f"document.querySelector('[name=password]').value = '{pages.PASSWORD}'")
    tab.run("window.before = true")
    tab.run("document.querySelector('#login-form button').click()")
    tab.until("!window.before && document.readyState === 'complete'")


def where(tab: Tab) -> str:
    return str(tab.run("location.pathname + location.search"))


def test_a_log_in_comes_back_to_the_view_as_it_was_sorted_and_filtered_meanwhile(node: NodeProcess, wide: Tab) -> None:
    tab = wide
    tab.open(f"http://{node.host}:{node.port}/console/clusters/a%20b/?sort=name&order=asc")
    tab.until(LIVE)
    tab.run("document.getElementById('filter').value = '10.4'")
    tab.run("document.getElementById('filter').dispatchEvent(new Event('input', {bubbles: true}))")
    tab.until(f"location.search.includes('filter=10.4') && {ENGINES} === '10.4.0.1,10.4.0.2'")
    view = where(tab)
    follow(tab, "Sign in to drop engines")
    log_in(tab)
    assert where(tab) == view
    tab.until(f"{LIVE} && {ENGINES} === '10.4.0.1,10.4.0.2'")
    follow(tab, "Drop…")
    assert "10.4.0.1" in tab.text()
    assert urlsplit(where(tab)).path == "/admin/loadstats/engine/forget_engine/"
    follow(tab, "Back")
    assert where(tab) == view
    tab.until(f"{LIVE} && {ENGINES} === '10.4.0.1,10.4.0.2'")


def test_who_ends_a_request_logs_in_on_the_way_and_is_back_at_the_request(node: NodeProcess, tab: Tab) -> None:
    tab.open(f"http://{node.host}:{node.port}/console/request/?id=r/2")
    tab.until(LIVE)
    view = where(tab)
    follow(tab, "Sign in to end it…")
    log_in(tab)
    assert urlsplit(where(tab)).path == "/admin/loadstats/request/end_request/"
    assert parse_qs(urlsplit(where(tab)).query) == {"request_id": ["r/2"], "next": [view]}
    assert "End request r/2?" in tab.text()
    follow(tab, "End it")
    assert where(tab) == view
    tab.until("document.querySelector('[aria-current=step]')?.innerText === 'Over'")


def test_the_admins_page_of_the_same_thing_is_behind_the_log_in_and_leads_back(node: NodeProcess, tab: Tab) -> None:
    tab.open(f"http://{node.host}:{node.port}/console/clusters/a%20b/?sort=name")
    tab.until(LIVE)
    follow(tab, "In the admin")
    log_in(tab)
    assert where(tab) == "/admin/loadstats/engine/?cluster=a+b"
    assert "10.5.0.1" in tab.text()
    follow(tab, "In the console")
    assert where(tab) == "/console/clusters/a%20b/"

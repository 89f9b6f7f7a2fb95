# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Swagger UI in a real browser, served by a real node: all calls, and one that is made."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser.axe import faults
from tests.browser.chromium import Tab
from tests.nodes import ROOT, NodeProcess, running_node

CALLS = (ROOT / "docs" / "openapi.yaml").read_text().count("operationId: ")
QUERY = "#operations-load-load_query"
# A choice among values, a body, headers, and all methods.
UNFOLDED = ("load-load_query", "load-load_add", "load-load_history", "load-load_tokens", "load-load_done")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("node")) as node:
        node.call("POST", "/v1/load/stats", {"cluster": "demo", "request_id": "r", "ip": "10.0.0.1"})
        yield node


@pytest.fixture
def page(node: NodeProcess, tab: Tab) -> Iterator[Tab]:
    """The page, with all of its calls."""
    tab.open(f"http://{node.host}:{node.port}/docs/")
    tab.until(f"document.querySelectorAll('.opblock').length === {CALLS}")
    yield tab
    tab.call("Emulation.setEmulatedMedia", features=[])
    tab.call("Emulation.clearDeviceMetricsOverride")


def unfold(page: Tab) -> None:
    page.run(f"document.querySelector('{QUERY} .opblock-summary-control').click()")
    page.until(f"document.querySelector('{QUERY} .execute')")


def test_a_call_is_made_by_pressing_its_button(page: Tab) -> None:
    unfold(page)
    page.run(f"document.querySelector('{QUERY} .execute').click()")
    page.until(f"document.querySelector('{QUERY} .live-responses-table .microlight')")
    shown = json.loads(page.run(f"document.querySelector('{QUERY} .live-responses-table .microlight').innerText"))
    assert (shown["status"], [row["ip"] for row in shown["data"]]) == ("OK", ["10.0.0.1"])


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_nothing_serious_keeps_anybody_out(page: Tab, scheme: str, width: int) -> None:
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    page.until(f"document.documentElement.classList.contains('dark-mode') === {json.dumps(scheme == 'dark')}")
    assert faults(page) == []
    for each in UNFOLDED:
        page.run(f"document.querySelector('#operations-{each} .opblock-summary-control').click()")
    page.until(f"document.querySelectorAll('.execute').length === {len(UNFOLDED)}")
    page.run(f"document.querySelector('{QUERY} .execute').click()")
    page.until(f"document.querySelector('{QUERY} .live-responses-table .microlight')")
    assert faults(page) == []
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.run("document.querySelector('.btn.authorize').click()")
    page.until("document.querySelector('[role=dialog] input')")
    assert faults(page, "'[role=dialog]'") == []


@pytest.mark.slow
def test_every_field_of_every_call_has_a_name_and_every_id_is_one_elements(page: Tab) -> None:
    page.run("document.querySelectorAll('.opblock-summary-control').forEach((button) => button.click())")
    page.until(f"document.querySelectorAll('.execute').length === {CALLS}")
    nameless = "[...document.querySelectorAll('input, select, textarea')].filter(e => !e.ariaLabel && !e.labels.length)"
    assert page.run(f"{nameless}.map((each) => each.outerHTML)") == []
    ids = page.run("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert sorted(ids) == sorted(set(ids))
    assert page.run("document.querySelectorAll('button a, button button, a button').length") == 0


def test_it_has_the_navigation_of_the_other_pages(page: Tab) -> None:
    links = "[...document.querySelectorAll('.top nav a')].map((link) => link.pathname)"
    here = page.run(links)
    assert page.run("document.querySelector('.top nav [aria-current]').pathname") == "/docs/"
    page.open(page.run("location.origin") + "/console/")
    assert page.run(links) == here


def test_the_theme_is_the_chosen_one(page: Tab) -> None:
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    page.run("document.documentElement.dataset.theme = 'dark'")
    page.until("document.documentElement.classList.contains('dark-mode')")


def test_it_is_no_wider_than_a_phone(page: Tab) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=1, mobile=True)
    unfold(page)
    assert page.run("document.documentElement.scrollWidth") <= 360

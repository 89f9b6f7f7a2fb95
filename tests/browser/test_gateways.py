# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of the gateways in a real browser: the leaking one is found, and the page follows the node."""

from __future__ import annotations

import pytest

from tests.browser.axe import faults
from tests.browser.chromium import Tab
from tests.unit.partial_node import PartialNode

FIRST = "document.querySelector('.gateways tbody th')?.innerText"


@pytest.mark.parametrize("width", [1440, 390])
def test_the_gateway_that_leaks_is_found_and_the_page_follows(
    site: str, node: PartialNode, tab: Tab, width: int
) -> None:
    for number in range(30):
        for request in range(40 if number == 17 else 2):
            owner = f"gateway-{number:02}"
            node.ledger.add(f"{number}.{request}", "c", "10.0.0.1", 1, 0.0, 0, owner)
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        tab.open(f"{site}/console/gateways/")
        assert tab.run(FIRST) == "gateway-17"
        assert not tab.run("document.documentElement.scrollWidth > innerWidth")
        assert faults(tab) == []
        for request in range(50):
            node.ledger.add(f"more.{request}", "c", "10.0.0.1", 1, 0.0, 0, "gateway-03")
        node.census.renew()
        tab.until(f"({FIRST}) === 'gateway-03'")
        tab.run("document.querySelector('.gateways thead a[href*=oldest]').click()")
        tab.until("location.search === '?order=oldest' && document.querySelector('[aria-sort]').innerText === 'Oldest'")
    finally:
        tab.call("Emulation.clearDeviceMetricsOverride")

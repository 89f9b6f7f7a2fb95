# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The console in a real browser: it keeps itself up to date, fits small screens, and stays what it is under attack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Tab
from tests.unit.partial_node import PartialNode

ATTACKS = ("<script>document.title='owned'</script>", '"><img src=x onerror="document.title=1">', "x" * 256)

# WCAG 2.2, contrast ratio of an element's text to the first ground behind it that is not transparent.
CONTRAST = """
(() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const light = color => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = numbers(color).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const element = document.querySelector('%s');
  let behind = element;
  while (numbers(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const both = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
})()
"""


@pytest.fixture
def phone(tab: Tab) -> Iterator[Tab]:
    """The tab, as small as phones are."""
    tab.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=1, mobile=True)
    yield tab
    tab.call("Emulation.clearDeviceMetricsOverride")


def test_a_page_keeps_itself_up_to_date(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/console/")
    assert "No cluster has an engine yet." in tab.text()
    node.add("r1", "appears", "10.0.0.9")
    tab.until("document.body.innerText.includes('appears')")
    tab.open(f"{site}/console/appears/")
    assert "10.0.0.9" in tab.text()
    node.add("r2", "appears", "10.0.0.10")
    tab.until("document.body.innerText.includes('10.0.0.10')")


def test_names_from_clients_stay_text(site: str, tab: Tab, node: PartialNode) -> None:
    for number, name in enumerate(ATTACKS):
        node.add(f"r{number}", name)
    tab.open(f"{site}/console/?refresh=off")
    assert all(name in tab.text() for name in ATTACKS)
    links = tab.run("Array.from(document.querySelectorAll('th a'), link => [link.innerText, link.href])")
    assert {name for name, _ in links} == set(ATTACKS)
    for name, address in links:
        tab.open(address)
        assert name in tab.text()
        assert tab.run("document.title") == f"{name} · Metadata Center"


@pytest.mark.parametrize(
    "path", ["/", "/console/", "/console/wide/", f"/console/{'x' * 256}/", "/v1/load/stats?cluster=wide", "/nowhere"]
)
def test_no_page_is_wider_than_a_phone(site: str, phone: Tab, node: PartialNode, path: str) -> None:
    for number, name in enumerate((*ATTACKS, "wide")):
        node.add(f"r{number}", name, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 2**31 - 1)
    phone.open(f"{site}{path}")
    assert phone.run("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(site: str, tab: Tab, node: PartialNode, scheme: str) -> None:
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.open(f"{site}/v1/load/stats")
    for selector in ("h1", ".head p", "nav a", ".state", "pre", "input", "button", "small", ".method"):
        assert tab.run(CONTRAST % selector) >= 4.5, selector
    tab.call("Emulation.setEmulatedMedia", features=[])

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Every page of a node in a real browser: full and empty, light and dark, wide and narrow, live and cut off. Nothing
keeps anybody out, nothing is wider than the screen, nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from operator import attrgetter
from os import environ
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from tests.browser import pages
from tests.browser.axe import faults
from tests.browser.chromium import Tab
from tests.browser.pages import Page
from tests.clusters import ClusterNode, running_cluster, wait

SCHEMES = ("light", "dark")
WIDTHS = (1440, 390)
NARROWEST = 360
UNFOLD = "document.documentElement.hasAttribute('x-data')"  # a page of the admin, which chooses its scheme by a script
STALE = "document.getElementById('sign')?.dataset.state === 'stale'"
MOST_SEEN = (pages.CONSOLE[1], pages.CONSOLE[4], pages.CONSOLE[12], pages.API[0])
EVERY = bool(environ.get("EVERY_LOOK"))  # `make look-test`: every page, in all pairs of theme and width
MOST_SEEN_OF_THE_ADMIN = [each for each in pages.ADMIN if each.path in {"/admin/", "/admin/loadstats/request/"}]


class Site:
    """A node with pages.

    `address`: where they are.
    `peer`: the name of its first peer.
    `full`: it has load.
    `cookies`: of the browser in which its superuser is signed in; None before the log-in.
    """

    def __init__(self, node: ClusterNode, *, full: bool) -> None:
        self.full = full
        self.node = node
        self.address = f"http://{node.address}:{node.port}"
        self.peer = f"127.0.0.2:{node.port}"
        self.cookies: list[dict[str, Any]] | None = None


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Site]]:
    """Each kind of site, started when it is first asked for: tests of both are mixed."""
    with ExitStack() as stack:
        yield cache(lambda full: stack.enter_context(running_site(tmp_path_factory.mktemp("nodes"), full=full)))


@pytest.fixture(params=["full", "empty"])
def site(request: pytest.FixtureRequest, sites: Callable[[bool], Site]) -> Site:
    """A node with a peer and load, or one that is alone and has none."""
    return sites(request.param == "full")


@contextmanager
def running_site(folder: Path, *, full: bool) -> Iterator[Site]:
    expire = {"METADATA_CENTER_LOAD_REQ_EXPIRE": "1h", "METADATA_CENTER_LOAD_ORPHAN_GRACE": "1h"}
    pages.make_accounts(folder / "n0")
    with running_cluster(folder, 2 if full else 1, environment=expire) as cluster:
        node = cluster.nodes[0]
        if full:
            wait(cluster.connected, "the nodes are connected")
            pages.fill(node)
        yield Site(node, full=full)


@pytest.fixture
def screen(tab: Tab) -> Iterator[Tab]:
    """The tab, with a size and a scheme that a test may choose."""
    yield tab
    tab.call("Emulation.setEmulatedMedia", features=[])
    tab.call("Emulation.clearDeviceMetricsOverride")


def width_of(tab: Tab, width: int) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=True)


def open_page(tab: Tab, site: Site, page: Page) -> None:
    tab.open(site.address + page.path.replace("{peer}", site.peer))
    tab.until(page.ready)


def problems(tab: Tab, site: Site, widths: Iterable[int]) -> list[object]:
    """Return what is wrong with the page that is open, in these widths."""
    found: list[object] = []
    for width in widths:
        width_of(tab, width)
        found += [(width, *fault) for fault in faults(tab)]
    width_of(tab, NARROWEST)
    if (wide := tab.run("document.documentElement.scrollWidth")) > NARROWEST:
        found.append(f"{wide} px wide")
    loaded = tab.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    return found + [each for each in loaded if not each.startswith(f"{site.address}/")]


def looked(tab: Tab, site: Site, chosen: Iterable[Page], schemes: Iterable[str], widths: Iterable[int]) -> list[object]:
    """Open pages in these schemes and widths. Returns what is wrong, page by page."""
    found: list[object] = []
    for page in chosen:
        for scheme in schemes:
            tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            width_of(tab, WIDTHS[0])
            open_page(tab, site, page)
            if tab.run(f"{UNFOLD} && document.documentElement.classList.contains('dark')") != tab.run(
                f"{UNFOLD} && {json.dumps(scheme == 'dark')}"
            ):
                found.append((page.path, scheme, "not in this scheme"))
            found += [(page.path, scheme, each) for each in problems(tab, site, widths)]
    return found


def sign_in(tab: Tab, site: Site, name: str = pages.NAME) -> None:
    tab.open(f"{site.address}/admin/login/")
    tab.run(f"document.querySelector('[name=username]').value = {json.dumps(name)}")
    tab.run(f"document.querySelector('[name=password]').value = {json.dumps(pages.PASSWORD)}")
    press(tab, "#login-form button")


def press(tab: Tab, button: str) -> None:
    """Press a button that leads to another page, and wait for that."""
    tab.run("window.before = true")
    tab.run(f"document.querySelector({json.dumps(button)}).click()")
    tab.until("!window.before && document.readyState === 'complete'")


@pytest.fixture
def signed_in(screen: Tab, site: Site) -> Tab:
    """The tab, signed in as the superuser. Before that somebody was refused, and an act came after it."""
    if site.cookies is None:
        sign_in(screen, site, "somebody")
        assert "Please enter the correct username and password" in screen.text()
        assert problems(screen, site, WIDTHS) == []
        sign_in(screen, site)
        screen.open(f"{site.address}/admin/metadata_center/node/set_log_level/?level=INFO")
        press(screen, "main form button")
        assert "Log level set" in screen.text()
        site.cookies = screen.call("Network.getCookies", urls=[site.address])["cookies"]
    else:
        for each in site.cookies:
            kept = {name: each[name] for name in ("name", "value", "domain", "path")}
            screen.call("Network.setCookie", **kept)
    return screen


def looks(site: Site) -> list[tuple[str, int]]:
    """Return the schemes and widths in which each page is looked at."""
    if EVERY:
        return [(scheme, width) for scheme in SCHEMES for width in WIDTHS]
    return list(zip(SCHEMES, WIDTHS, strict=True)) if site.full else [("light", WIDTHS[1])]


def wrong_with(tab: Tab, site: Site, page: Page) -> list[object]:
    """Look at one page in all of its looks."""
    return [fault for scheme, width in looks(site) for fault in looked(tab, site, [page], [scheme], [width])]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [*pages.CONSOLE, *pages.API, *pages.LOG_IN] if EVERY else MOST_SEEN, ids=attrgetter("path")
)
def test_a_page_for_everyone_keeps_nobody_out(site: Site, screen: Tab, page: Page) -> None:
    assert wrong_with(screen, site, page) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.ADMIN if EVERY else MOST_SEEN_OF_THE_ADMIN, ids=attrgetter("path"))
def test_a_page_of_the_admin_keeps_nobody_out(site: Site, signed_in: Tab, page: Page) -> None:
    assert wrong_with(signed_in, site, page) == []


@pytest.mark.slow
@pytest.mark.parametrize("site", ["full"], indirect=True)
@pytest.mark.parametrize(
    "page",
    [each for each in (pages.CONSOLE if EVERY else MOST_SEEN) if each.ready == pages.LIVE],
    ids=attrgetter("path"),
)
def test_a_page_whose_node_fell_silent_keeps_nobody_out(site: Site, screen: Tab, page: Page) -> None:
    width_of(screen, WIDTHS[0])
    open_page(screen, site, page)
    site.node.signal(signal.SIGSTOP)
    try:
        screen.until(STALE)
        found = []
        for scheme, width in looks(site):
            screen.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            found += [(scheme, each) for each in problems(screen, site, [width])]
        assert found == []
    finally:
        site.node.signal(signal.SIGCONT)
    screen.until(page.ready)
    screen.complaints[:] = [each for each in screen.complaints if "ERR_" not in each and "WebSocket" not in each]


def test_the_pages_most_seen_keep_nobody_out(site: Site, screen: Tab) -> None:
    assert looked(screen, site, MOST_SEEN, ["light"], [WIDTHS[1]]) == []


def test_the_pages_most_seen_of_the_admin_keep_nobody_out(site: Site, signed_in: Tab) -> None:
    assert looked(signed_in, site, MOST_SEEN_OF_THE_ADMIN, ["dark"], [WIDTHS[0]]) == []


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Return all routes below a resolver, as `resolve` reports them."""
    for each in resolver.url_patterns:
        route = before + str(each.pattern).removeprefix("^")
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from routes(each, route)


def test_every_route_is_in_the_list_of_pages_or_no_page() -> None:
    listed = {resolve(page.path.partition("?")[0]).route for page in pages.ALL if page.path != "/nowhere"}
    assert sorted(set(routes(get_resolver())) - listed - set(pages.NOT_PAGES)) == []
    assert sorted(listed & set(pages.NOT_PAGES)) == []
    assert sorted(set(pages.NOT_PAGES) - set(routes(get_resolver()))) == []

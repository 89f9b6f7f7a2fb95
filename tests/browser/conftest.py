# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's pages on a port, and a browser in front of them."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.test import override_settings

from edge.asgi import HandlerApp
from edge.page_app import PageApp
from edge.page_handler import PageHandler
from edge.page_threads import PageThreads
from tests.browser.chromium import Tab, chromium
from tests.unit.partial_node import PartialNode, in_place

OURS = {"whitenoise.middleware.WhiteNoiseMiddleware": "edge.middleware.StaticMiddleware"}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """One tab for all tests."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs Chromium")
    with chromium(program, tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """The tab, blank; at the end the browser has had nothing to complain of but answers that are errors."""
    browser.call("Network.clearBrowserCookies")  # or the next test would be signed in
    browser.open("about:blank")
    browser.complaints.clear()
    yield browser
    browser.open("about:blank")
    assert [each for each in browser.complaints if "responded with a status of 4" not in each] == []


@pytest.fixture
def node() -> Iterator[PartialNode]:
    with in_place(PartialNode()) as node:
        yield node


@pytest.fixture
def site(node: PartialNode) -> Iterator[str]:
    """The node's address: the handlers, and Django for browsers."""
    with (
        override_settings(MIDDLEWARE=[OURS.get(each, each) for each in settings.MIDDLEWARE]),
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        threads = PageThreads(2, 64)
        pages = PageApp(PageHandler(), node.dispatcher, threads, {})
        app: Any = HandlerApp(node.dispatcher, pages, max_body_bytes=4096)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            threads.close()
            assert not thread.is_alive()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages that came over TLS, of the node's own or of a proxy's in front of it: their sockets and their forms."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from tests.certificates import certificate
from tests.clusters import Wire, wired
from tests.nodes import NodeProcess, running_node
from tests.sockets import closed_with, connect

SECONDS = 60.0


class Proxy(Wire):
    """Speaks TLS with clients and none with the node. What they say to each other it passes on as it is."""

    def __init__(self, target: tuple[str, int], cert: str, key: str) -> None:
        super().__init__(target)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(cert, key)

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        return server


class Site:
    """A node as a browser sees it: at one port, over TLS."""

    def __init__(self, node: NodeProcess, port: int, cert: str) -> None:
        self.node = node
        self.place = f"127.0.0.1:{port}"
        self._trust = ssl.create_default_context(cafile=cert)
        # The client of a socket reads on one thread and writes on another. With TLS 1.3 the first may be reading the
        # server's session tickets, and OpenSSL then throws away what the other writes: the request never goes out.
        self._trust_of_sockets = ssl.create_default_context(cafile=cert)
        self._trust_of_sockets.maximum_version = ssl.TLSVersion.TLSv1_2

    def call(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = HTTPSConnection(self.place, timeout=SECONDS, context=self._trust)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): each for name, each in headers.items()})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
        finally:
            connection.close()

    def open(self, origin: str) -> ClientConnection:
        address = f"wss://{self.place}/ws/load/c/"
        return connect(address, ssl=self._trust_of_sockets, origin=Origin(origin))


@contextmanager
def own_tls(folder: Path) -> Iterator[Site]:
    cert, key = certificate(folder, "node")
    settings = {"METADATA_CENTER_HTTP_CERT_FILE": cert, "METADATA_CENTER_HTTP_KEY_FILE": key}
    with running_node(folder, **settings) as node:
        yield Site(node, node.port, cert)


@contextmanager
def behind_a_proxy(folder: Path) -> Iterator[Site]:
    cert, key = certificate(folder, "proxy")
    with running_node(folder, METADATA_CENTER_WEB_TLS_PROXY="true") as node:
        proxy = Proxy((node.host, node.port), cert, key)
        with wired([proxy]):
            yield Site(node, proxy.port, cert)


@pytest.mark.parametrize("serving", [own_tls, pytest.param(behind_a_proxy, marks=pytest.mark.slow)])
def test_pages_over_tls_are_the_nodes_own_and_those_of_others_are_refused(
    serving: Callable[[Path], AbstractContextManager[Site]], tmp_path: Path
) -> None:
    with serving(tmp_path) as site:
        with site.open(f"https://{site.place}") as socket:
            assert msgspec.json.decode(socket.recv(SECONDS))["type"] == "snapshot"
            added = site.call("POST", "/v1/load/stats", b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}')
            assert added[0] == 200
            while (said := msgspec.json.decode(socket.recv(SECONDS)))["type"] == "alive":
                pass
            assert (said["type"], said["engines"][0]["queued_req_num"]) == ("changes", 1)
            for origin in ("https://evil.example", "https://127.0.0.1", f"https://{site.place}.evil.example", "null"):
                with pytest.raises(InvalidStatus) as refused, site.open(origin):
                    pass
                assert refused.value.response.status_code == 403
            log_in(site)
            assert site.node.stop() == 0
            assert closed_with(socket) == 1001
        assert "Traceback" not in "".join(site.node.output)


def log_in(site: Site) -> None:
    """As a browser would, with nothing filled in: the form is taken, from the site's own page alone."""
    status, headers, page = site.call("GET", "/admin/login/", X_Forwarded_Proto="https")
    assert status == 200
    cookie = headers["set-cookie"]
    assert cookie.startswith("csrftoken=")
    assert "; Secure" in cookie
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    form = urlencode({"csrfmiddlewaretoken": token[1], "username": "", "password": ""}).encode()
    for origin, expected in ((f"https://{site.place}", 200), ("https://evil.example", 403)):
        status, _, page = site.call(
            "POST",
            "/admin/login/",
            form,
            Content_Type="application/x-www-form-urlencoded",
            Cookie=cookie.partition(";")[0],
            Origin=origin,
            X_Forwarded_Proto="https",
        )
        assert status == expected, page

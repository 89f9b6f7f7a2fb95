# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin of a real node with a million requests in flight: how long a page takes, and the calls meanwhile."""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from html import unescape
from http.client import HTTPConnection
from itertools import cycle
from time import perf_counter_ns
from urllib.parse import urlencode

from benchmarks import latency
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.openloop_client import OpenLoop, poisson, steady, whole
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode, ServerFailed
from benchmarks.spread import Latencies

NAME = "admin"
RATE = 2000
PAGE_REACH_MS = 300
P99_REACH_MS = 5
NAME_OF_ADMIN, PASSWORD = "bench", "correct horse battery staple"

FURTHER = "further"  # what the page before leads on to
PAGES = {
    "requests, the first page": "loadstats/request/",
    "requests, the next page": FURTHER,
    "requests of one engine": "loadstats/request/?cluster=model-a-3&ip=10.0.1.60",
    "requests over 10 minutes old: none": "loadstats/request/?age=600",
    "a request by its id": "loadstats/request/?request_id=6ba70002-9dad-41d1-80b4-000000000777",
    "engines, the busiest first": "loadstats/engine/",
    "clusters": "loadstats/cluster/",
    "overview": "",
}


class Reader:
    """One person who opens page after page, each as soon as the one before is there. Answers are taken by `read`, when
    there is something to read."""

    def __init__(self, port: int, cookie: str) -> None:
        self.took: dict[str, list[int]] = defaultdict(list)
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._cookie = cookie
        self._pages = cycle(PAGES.items())
        self._further = ""
        self._page = ""
        self._asked = 0
        self._data = bytearray()

    def ask(self) -> None:
        """The next page."""
        self._page, target = next(self._pages)
        if target == FURTHER:
            target = f"loadstats/request/{self._further}"
        head = f"GET /admin/{target} HTTP/1.1\r\nHost: n\r\nAccept: text/html\r\nCookie: {self._cookie}\r\n\r\n"
        self._data.clear()
        self._asked = perf_counter_ns()
        self.connection.sendall(head.encode())

    def read(self) -> None:
        """Some of an answer; at its end the next page is asked for."""
        part = self.connection.recv(1 << 18)
        if not part:
            raise ServerFailed(f"the node closed the connection of the page {self._page!r}")
        self._data += part
        if whole(self._data):
            self.took[self._page].append(perf_counter_ns() - self._asked)
            if link := re.search(rb'href="(\?[^"]*bucket=[^"]*)"', self._data):
                self._further = unescape(link[1].decode())
            self.ask()


def measure(bench: Bench) -> Section:
    """In turns without and with the reader, the same load."""
    requests, seconds = bench.pick(1_000_000, 20_000), bench.pick(20, 3)
    account = {"USERNAME": NAME_OF_ADMIN, "EMAIL": "", "PASSWORD": PASSWORD}
    environment = {f"DJANGO_SUPERUSER_{name}": value for name, value in account.items()}
    with bench.servers.node() as node, OpenLoop(node.port) as client:
        bench.servers.manage("createsuperuser", "--noinput", "--verbosity", "0", **environment)
        client.run(steady(20_000, requests), LoadGateway(2, engines=1000, per_cluster=100).adds())
        client.run(poisson(RATE, RATE), LoadGateway(3).life())  # warm up
        alone = client.run(poisson(RATE, RATE * seconds), LoadGateway(4).life())
        reader = Reader(node.port, log_in(node))
        with reader.connection:
            client.listen(reader.connection, reader.read)
            reader.ask()
            client.run(poisson(RATE, RATE), LoadGateway(5).life())  # each page once: templates are read then
            reader.took.clear()
            read = client.run(poisson(RATE, RATE * seconds), LoadGateway(6).life())
    rows = []
    for page in PAGES:
        took = Latencies.of(reader.took[page], scale=1e-6)
        reach = Reach(took.longest, PAGE_REACH_MS).show(" ms")
        rows.append((page, f"{took.count}", f"{took.p50:.0f}", f"{took.longest:.0f}", reach))
    return Section(
        NAME,
        f"The admin with {requests:,} requests in flight",
        [
            f"One person opens page after page without a pause, while gateways make {RATE:,} calls/s.",
            table(["page", "times", "p50, ms", "longest, ms", "reach"], rows),
            "The calls meanwhile:",
            table(
                latency.HEAD,
                [
                    latency.row("mixed calls, nobody reads", alone),
                    latency.row("mixed calls, while pages are made", read, p99_ms=P99_REACH_MS),
                ],
            ),
            latency.EXPLAINED,
        ],
    )


def log_in(node: MeasuredNode) -> str:
    """Log in. Returns the cookies."""
    connection = HTTPConnection("127.0.0.1", node.port, timeout=30)
    try:
        connection.request("GET", "/admin/login/", headers={"Accept": "text/html"})
        response = connection.getresponse()
        page = response.read().decode()
        cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        if token is None:
            raise ServerFailed(f"no form to log in: {page[:500]}")
        form = {"csrfmiddlewaretoken": token[1], "username": NAME_OF_ADMIN, "password": PASSWORD}
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        connection.request("POST", "/admin/login/?next=/admin/", urlencode(form), headers)
        response = connection.getresponse()
        response.read()
        if response.status != 302:
            raise ServerFailed(f"logging in was answered with {response.status}")
        return "; ".join(each.partition(";")[0] for each in response.headers.get_all("Set-Cookie", []))
    finally:
        connection.close()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A gateway that behaves, in a process of its own: `python -m tests.attacks.honest_gateway HOST PORT NAME [CA]`.

It connects from 127.0.0.1, sends heartbeats, starts and ends requests on engines of its own and reads the load, on one
kept connection, about 150 calls a second, until its input ends. Now and then it opens another connection, waits for a
change and opens a socket. With a file of certificates that it trusts, it does all that over TLS. Then it prints the
seconds that each call took, and what was not answered as it should, as JSON.
"""

from __future__ import annotations

import select
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

import msgspec

from tests.nodes import ROOT

PAUSE_SECONDS = 0.005
SOCKET_HEADERS = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class HonestGateway(msgspec.Struct):
    """The gateway as a test sees it, once it has ended.

    `took`: seconds of each call on the kept connection, the shortest first.
    `refused`: calls that were not answered as they should be, and how they were.
    """

    took: list[float] = []
    refused: list[str] = []

    @property
    def p99(self) -> float:
        """Seconds."""
        return self.took[len(self.took) * 99 // 100]

    def __str__(self) -> str:
        middle, last = self.took[len(self.took) // 2], self.took[-1]
        return f"{len(self.took)} calls, p50 {middle * 1e3:.1f}, p99 {self.p99 * 1e3:.1f}, longest {last * 1e3:.1f} ms"


class Calls:
    """Its calls, on one kept connection and on others."""

    def __init__(self, host: str, port: int, name: str, trust: str) -> None:
        self.found = HonestGateway([], [])
        self._tls = ssl.create_default_context(cafile=trust) if trust else None
        self._host, self._port, self._name = host, port, name
        self._kept = self._connect()
        self._number = 0

    def _connect(self) -> HTTPConnection:
        own = ("127.0.0.1", 0)
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=60, source_address=own)
        return HTTPSConnection(self._host, self._port, timeout=60, source_address=own, context=self._tls)

    def _ask(
        self, connection: HTTPConnection, method: str, target: str, body: Any, expected: int = 200, **headers: str
    ) -> None:
        connection.request(method, target, None if body is None else msgspec.json.encode(body), headers)
        response = connection.getresponse()
        if response.status != expected:
            self.found.refused.append(f"{method} {target}: {response.status} {response.read().decode()}")
        elif expected != 101:
            response.read()

    def round(self) -> None:
        """A few calls."""
        self._number += 1
        request_id = f"{self._name}-{self._number}"
        engine = {"cluster": self._name, "ip": f"10.200.0.{self._number % 8}"}
        owner = {"owner": self._name}
        for method, target, body in (
            ("PUT", "/v1/load/owner", {**owner, "ttl_seconds": 15}),
            ("POST", "/v1/load/stats", {**engine, **owner, "request_id": request_id, "prompt_length": 9}),
            ("GET", f"/v1/load/stats?cluster={self._name}", None),
            ("DELETE", "/v1/load/prompt", {"request_id": request_id}),
            ("DELETE", "/v1/load/stats", {"request_id": request_id}),
        ):
            began = time.perf_counter()
            self._ask(self._kept, method, target, body)
            self.found.took.append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)

    def more(self) -> None:
        """A new connection, a call that waits and a socket."""
        other = self._connect()
        self._ask(other, "GET", f"/v1/load/stats?cluster={self._name}&wait=0.05", None)
        other.close()
        other = self._connect()
        self._ask(other, "GET", f"/ws/load/{self._name}/", None, 101, **SOCKET_HEADERS)
        other.close()


@contextmanager
def honest_gateway(host: str, port: int, name: str, trust: str = "") -> Iterator[HonestGateway]:
    """A gateway that calls while the block runs; over TLS if it trusts a file of certificates."""
    found = HonestGateway([], [])
    command = [sys.executable, "-m", "tests.attacks.honest_gateway", host, str(port), name, trust]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield found
        finally:
            output, _ = process.communicate()
    seen = msgspec.json.decode(output, type=HonestGateway)
    found.took, found.refused = sorted(seen.took), seen.refused


def main(host: str, port: int, name: str, trust: str) -> None:
    """Call until the input ends."""
    calls = Calls(host, port, name, trust)
    calls.round()
    calls.found.took.clear()  # what is done once is done now
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        calls.round()
        rounds += 1
        if rounds % 20 == 0:
            calls.more()
    sys.stdout.write(msgspec.json.encode(calls.found).decode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:5])

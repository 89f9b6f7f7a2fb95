# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A client that behaves, in a process of its own: `python -m tests.attacks.honest_client HOST PORT`.

It asks `/livez` a hundred times a second on one kept connection until its input ends. Then it prints the seconds that
each answer took, as JSON.
"""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
PAUSE_SECONDS = 0.01


class HonestClient:
    """The client as a test sees it. `took` is there once it has ended: seconds of each call, the shortest first."""

    def __init__(self) -> None:
        self.took: list[float] = []

    @property
    def p99(self) -> float:
        """Seconds."""
        return self.took[int(len(self.took) * 0.99)]

    def __str__(self) -> str:
        middle = self.took[len(self.took) // 2]
        return (
            f"{len(self.took)} calls, p50 {middle * 1e3:.1f} ms, p99 {self.p99 * 1e3:.1f} ms, "
            f"longest {self.took[-1] * 1e3:.1f} ms"
        )


@contextmanager
def honest_client(host: str, port: int) -> Iterator[HonestClient]:
    """A client that calls while the block runs."""
    client = HonestClient()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.attacks.honest_client", host, str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield client
        finally:
            output, _ = process.communicate()
    client.took = sorted(msgspec.json.decode(output))


def main(host: str, port: int) -> None:
    """Call until the input ends."""
    connection = HTTPConnection(host, port, timeout=60)
    took = []
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        began = time.perf_counter()
        connection.request("GET", "/livez")
        response = connection.getresponse()
        response.read()
        took.append(time.perf_counter() - began)
        if response.status != 200:
            raise SystemExit(f"answered {response.status}")
    sys.stdout.write(msgspec.json.encode(took).decode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

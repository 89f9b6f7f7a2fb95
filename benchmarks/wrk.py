# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""wrk, the load generator: one thread, kept connections, requests from a script in `wrk/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.json import decode

SCRIPTS = Path(__file__).parent / "wrk"


class WrkMissing(Exception):
    """wrk is not installed."""


class WrkFailed(Exception):
    """wrk ended without a count, or counted answers that are not 200 or broken connections."""


class Count(Struct, frozen=True):
    """What wrk counted. `refused` are statuses of 400 and more, `broken` failed connections and timeouts."""

    requests: int
    duration_us: int
    bytes: int
    refused: int
    broken: int
    p50_us: int
    p99_us: int
    max_us: int

    @property
    def per_second(self) -> float:
        return self.requests / self.duration_us * 1e6


def find() -> str:
    """wrk's path."""
    found = shutil.which("wrk")
    if found is None:
        raise WrkMissing("wrk is not installed; on Debian and Ubuntu: apt-get install wrk")
    return found


def run(script: str, port: int, *, seconds: int, connections: int, settings: Mapping[str, str | int]) -> Count:
    """Load a loopback port with `script`; `settings` are the script's own."""
    environment = {f"BENCH_{name}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [
            find(),
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds}s",
            "--latency",
            f"--script={script}.lua",
            f"http://127.0.0.1:{port}",
        ],
        cwd=SCRIPTS,
        env=os.environ | {"BENCH_HOST": f"127.0.0.1:{port}"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    return read(done.stdout, done.stderr)


def read(output: str, errors: str = "") -> Count:
    """Return the count in wrk's output. Raises WrkFailed if it is missing or an answer was wrong."""
    last = output.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        raise WrkFailed(f"wrk: {(errors or output).strip()}")
    count = decode(last, type=Count)
    if count.refused or count.broken or not count.requests:
        raise WrkFailed(f"wrk: of {count.requests} requests {count.refused} refused, {count.broken} broken")
    return count

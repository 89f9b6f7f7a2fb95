# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the profiling port: paths, parameters, costs. Knows nothing of sockets.

Called on any request's thread. The locks allow one CPU profile and one heap window at a time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from runtime.profiling.cpu import CpuSampler, Pause
from runtime.profiling.heap import HeapTracer
from runtime.profiling.threads import ThreadDump

MAX_SECONDS = 300
MAX_HZ = 1000

INDEX = "/debug/pprof/"

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
PPROF = "application/octet-stream"

# The first value of each parameter. Unknown ones are ignored, as Go's own server does.
Query = dict[str, str]


class ProfileRefused(Exception):
    """A request that is refused.

    `status`: the HTTP status.
    `reason`: why, for people.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Job(NamedTuple):
    """A request whose parameters are right.

    `content_type`: the type of the answer.
    `run`: measures and returns the answer. Raises ProfileRefused if another one of its kind runs.
    """

    content_type: str
    run: Callable[[Pause], bytes]


class Endpoint(NamedTuple):
    """One path of the port.

    `path`: the path.
    `gives`, `cost`: what it returns and what it costs the node, for people.
    `prepare`: checks the parameters, without measuring. Raises ProfileRefused.
    """

    path: str
    gives: str
    cost: str
    prepare: Callable[[Query], Job]

    @property
    def filename(self) -> str:
        """The name under which a browser saves a profile."""
        return f"{self.path.rpartition('/')[2]}.pb.gz"


class Endpoints:
    """The table of endpoints, with what measures for them."""

    def __init__(
        self, *, cpu: CpuSampler, heap: HeapTracer, threads: ThreadDump, argv: Sequence[str] = tuple(sys.orig_argv)
    ) -> None:
        self._cpu = cpu
        self._heap = heap
        self._threads = threads
        self._argv = argv
        self._cpu_lock = threading.Lock()
        self._heap_lock = threading.Lock()
        self._all = (
            Endpoint(INDEX, "this page", "nothing", self._index),
            Endpoint(
                f"{INDEX}profile",
                "CPU and wall time by stack, of every thread, for seconds=30, hz=100 times a second",
                "5 to 10 % of the node's speed; a fifth at hz=1000",
                self._profile,
            ),
            Endpoint(
                f"{INDEX}heap",
                "what was allocated within seconds=5 and still lives, by stack",
                "2 µs for each block of memory that any thread allocates: the node is about 20 times slower meanwhile",
                self._heap_profile,
            ),
            Endpoint(
                f"{INDEX}threads",
                "the stack of every thread right now; as text with debug=1",
                "under a millisecond",
                self._thread_dump,
            ),
            Endpoint(f"{INDEX}cmdline", "the command line, its words separated by NUL", "nothing", self._cmdline),
        )

    def find(self, path: str) -> Endpoint:
        """Return the endpoint of a path. Raises ProfileRefused with 404."""
        for endpoint in self._all:
            if path in (endpoint.path, endpoint.path.rstrip("/")):
                return endpoint
        raise ProfileRefused(404, f"nothing here; {INDEX} lists what there is")

    def _index(self, _: Query) -> Job:
        return Job(HTML, lambda _: self._page())

    def _profile(self, query: Query) -> Job:
        seconds = _seconds(query, default=30)
        hz = _hz(query)
        return Job(
            PPROF,
            lambda pause: _alone(self._cpu_lock, "a CPU profile", lambda: self._cpu.profile(seconds, hz, pause)),
        )

    def _heap_profile(self, query: Query) -> Job:
        seconds = _seconds(query, default=5)
        return Job(
            PPROF,
            lambda pause: _alone(self._heap_lock, "a heap window", lambda: self._heap.profile(seconds, pause)),
        )

    def _thread_dump(self, query: Query) -> Job:
        debug = query.get("debug", "0")
        if debug == "0":
            return Job(PPROF, lambda _: self._threads.profile())
        if debug in ("1", "2"):
            return Job(TEXT, lambda _: self._threads.text())
        raise ProfileRefused(400, f"debug must be 0 or 1, not {debug[:40]!r}")

    def _cmdline(self, _: Query) -> Job:
        return Job(TEXT, lambda _: "\0".join(self._argv).encode(errors="surrogateescape"))

    def _page(self) -> bytes:
        rows = "".join(
            f'<tr><td><a href="{escape(endpoint.path)}">{escape(endpoint.path)}</a></td>'
            f"<td>{escape(endpoint.gives)}</td><td>{escape(endpoint.cost)}</td></tr>"
            for endpoint in self._all
        )
        return _PAGE.format(rows=rows, max_seconds=MAX_SECONDS, max_hz=MAX_HZ).encode()


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Profiles</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
:root {{ color-scheme: light dark }}
td, th {{ text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0 }}
</style></head><body>
<h1>Profiles of this node</h1>
<table><thead><tr><th>Path</th><th>Gives</th><th>Costs</th></tr></thead><tbody>{rows}</tbody></table>
<p>seconds is above 0 and at most {max_seconds}, hz from 1 to {max_hz}. Profiles are gzipped protobuf with every name in
them; <code>go tool pprof URL</code> opens them, and no symbol endpoint is needed.</p>
</body></html>
"""


def _alone(lock: threading.Lock, what: str, run: Callable[[], bytes]) -> bytes:
    if not lock.acquire(blocking=False):
        raise ProfileRefused(409, f"{what} is already under way; ask again when it has ended")
    try:
        return run()
    finally:
        lock.release()


def _seconds(query: Query, *, default: float) -> float:
    text = query.get("seconds")
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # Written so that NaN fails it too.
    if not 0 < seconds <= MAX_SECONDS:
        raise ProfileRefused(400, f"seconds must be a number above 0 and at most {MAX_SECONDS}, not {text[:40]!r}")
    return seconds


def _hz(query: Query) -> int:
    text = query.get("hz", "100")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_HZ):
        raise ProfileRefused(400, f"hz must be a whole number from 1 to {MAX_HZ}, not {text[:40]!r}")
    return int(text)

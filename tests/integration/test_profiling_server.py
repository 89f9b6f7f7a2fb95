# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The profiling port over real sockets, and its profiles through `go tool pprof`."""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from runtime.profiling import ProfilingServer
from runtime.profiling.request import _Head
from runtime.profiling.server import _Listener
from runtime.profiling.threads import ThreadDump
from tests.unit.runtime.pprof import Read

SECONDS = 60.0  # how long a test waits for what must happen

Starter = Callable[..., ProfilingServer]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def start() -> Iterator[Starter]:
    servers: list[ProfilingServer] = []

    def start_one(host: str = "127.0.0.1", port: int = 0, **bounds: float) -> ProfilingServer:
        server = ProfilingServer(host, port, **bounds)  # type: ignore[arg-type]
        server.start()
        servers.append(server)
        return server

    yield start_one
    for server in servers:
        server.stop()


@pytest.fixture
def server(start: Starter) -> ProfilingServer:
    return start()


@pytest.fixture
def busy_thread() -> Iterator[None]:
    """A thread that computes, and keeps the last of what it allocates."""
    begun, done = threading.Event(), threading.Event()
    kept: deque[bytearray] = deque(maxlen=1000)

    def computing() -> None:
        begun.set()
        while not done.is_set():
            sum(range(1000))
            keeping()

    def keeping() -> None:
        kept.append(bytearray(1000))

    thread = threading.Thread(target=computing, name="busy")
    thread.start()
    assert begun.wait(SECONDS)
    yield
    done.set()
    thread.join()


def ask(server: ProfilingServer, path: str, method: str = "GET", **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def connect(server: ProfilingServer, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline


def profile_of_five_minutes(server: ProfilingServer) -> socket.socket:
    """A client that has asked for one, which has begun."""
    connection = connect(server, b"GET /debug/pprof/profile?seconds=300 HTTP/1.1\r\n\r\n")
    until(lambda: b"CpuSampler.profile" in ask(server, "/debug/pprof/threads?debug=1").body)
    return connection


def test_every_link_of_the_index_answers(server: ProfilingServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}/debug/pprof/"
    page = ask(server, "/debug/pprof/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    links = [part.split('"')[0] for part in page.body.decode().split('href="')[1:]]
    assert len(links) == 5
    for link in links:
        assert ask(server, f"{link}?seconds=0.01").status == 200


def test_a_cpu_profile_shows_what_a_thread_computes(server: ProfilingServer, busy_thread: None) -> None:
    reply = ask(server, "/debug/pprof/profile?seconds=0.5")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="profile.pb.gz"'
    assert reply.headers["Connection"] == "close"
    read = Read(reply.body)
    assert 0.5e9 <= read.message.duration_nanos < SECONDS * 1e9
    busy = read.of("busy")
    assert any(name.endswith(".computing") for sample in busy for name in sample.functions)
    assert sum(sample.numbers["cpu"] for sample in busy) > 0
    assert read.of("profiling"), "the accepting thread is one of all"


def test_a_heap_profile_shows_what_a_thread_keeps(server: ProfilingServer, busy_thread: None) -> None:
    read = Read(ask(server, "/debug/pprof/heap?seconds=0.3").body)
    kept = [sample for sample in read.samples if sample.functions[0].endswith("<locals>.keeping")]
    assert sum(sample.numbers["inuse_space"] for sample in kept) > 1000


def test_it_shows_a_loop_that_is_stuck(server: ProfilingServer) -> None:
    done = threading.Event()

    async def stuck() -> None:
        while not done.is_set():
            pass

    coroutine = stuck()

    def loop() -> None:
        with pytest.raises(StopIteration):
            coroutine.send(None)

    thread = threading.Thread(target=loop, name="the loop")
    thread.start()
    try:
        until(lambda: b".stuck  " in ask(server, "/debug/pprof/threads?debug=1").body)
        read = Read(ask(server, "/debug/pprof/threads").body)
    finally:
        done.set()
        thread.join()
    assert any(name.endswith(".stuck") for name in read.of("the loop")[0].functions)


def test_head_checks_and_measures_nothing(server: ProfilingServer) -> None:
    began = time.monotonic()
    reply = ask(server, "/debug/pprof/profile?seconds=300", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert ask(server, "/debug/pprof/profile?seconds=x", "HEAD").status == 400
    assert ask(server, "/nothing", "HEAD").status == 404
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        (b"GET /debug/pprof/profile?seconds=0 HTTP/1.1", 400, b"seconds must be a number above 0"),
        (b"GET /debug/pprof/heap?seconds= HTTP/1.1", 400, b"seconds must be a number above 0"),
        (b"GET /debug/pprof/?" + b"a=1&" * 20 + b" HTTP/1.1", 400, b"bad address: "),
        (b"GET http://[/ HTTP/1.1", 400, b"bad address: "),
        (b"GET / HTTP/1.1", 404, b"nothing here; /debug/pprof/ lists"),
        (b"POST /debug/pprof/ HTTP/1.1", 405, b"only GET and HEAD"),
        (b"BREW /debug/pprof/ HTTP/1.1", 405, b"only GET and HEAD"),
        (b"GET /debug/pprof/ HTTP/1.1\r\nContent-Length: 5", 413, b"a request here has no body"),
        (b"GET /debug/pprof/ HTTP/1.1\r\nTransfer-Encoding: chunked", 413, b"a request here has no body"),
        (b"GET / HTTP/1.1" + b"\r\nA: b" * 200, 431, b"Too many headers"),
        (b"GET / HTTP/9.9", 505, b"Invalid HTTP version"),
        (b"what is this", 400, b"Bad request"),
    ],
)
def test_what_is_wrong_is_said_in_plain_text(
    server: ProfilingServer, request_line: bytes, status: int, reason: bytes
) -> None:
    with connect(server, request_line + b"\r\n\r\n") as connection:
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: text/plain; charset=utf-8" in head
    assert body.startswith(reason)
    assert body.count(b"\n") == 1
    assert len(body) < 300


def test_a_request_line_over_the_limit_is_refused(server: ProfilingServer) -> None:
    # Not a byte more than what is read: else the answer would race with a reset.
    with connect(server, b"GET /".ljust(65_537, b"a")) as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 414 ")


def test_405_says_what_is_allowed(server: ProfilingServer) -> None:
    assert ask(server, "/debug/pprof/", "DELETE").headers["Allow"] == "GET, HEAD"


def test_a_second_cpu_profile_is_refused_while_one_runs(server: ProfilingServer) -> None:
    with profile_of_five_minutes(server):
        second = ask(server, "/debug/pprof/profile?seconds=1")
        assert second.status == 409
        assert second.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert second.body == b"a CPU profile is already under way; ask again when it has ended\n"
        assert ask(server, "/debug/pprof/heap?seconds=0.01").status == 200


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_away_ends_its_profile(
    server: ProfilingServer, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = profile_of_five_minutes(server)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: ask(server, "/debug/pprof/profile?seconds=0.01").status == 200)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_more_than_is_asked_on_a_connection_does_not_disturb(server: ProfilingServer) -> None:
    request = b"GET /debug/pprof/profile?seconds=0.05 HTTP/1.1\r\n\r\n"
    with connect(server, request) as connection:
        connection.sendall(request)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert Read(body).message.duration_nanos >= 0.05e9


def test_stop_ends_a_profile_which_answers_with_what_it_has(server: ProfilingServer) -> None:
    with profile_of_five_minutes(server) as client:
        began = time.monotonic()
        server.stop()
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert time.monotonic() - began < SECONDS
    assert head.startswith(b"HTTP/1.1 200 ")
    assert Read(body).message.duration_nanos < SECONDS * 1e9


def test_stop_ends_idle_connections_and_leaves_no_thread(start: Starter) -> None:
    before = set(threading.enumerate())
    server = start()
    with connect(server) as idle:
        until(lambda: len(set(threading.enumerate()) - before) == 2)
        server.stop()
        assert idle.recv(1) == b""
    until(lambda: set(threading.enumerate()) <= before)
    server.stop()


def test_it_can_be_started_again(start: Starter) -> None:
    server = start()
    server.stop()
    assert server.port == 0
    server.start()
    assert Read(ask(server, "/debug/pprof/profile?seconds=0.05").body).message.duration_nanos >= 0.05e9


def test_a_port_in_use_is_an_oserror(server: ProfilingServer) -> None:
    second = ProfilingServer("127.0.0.1", server.port)
    with pytest.raises(OSError, match="Address already in use"):
        second.start()
    second.stop()


def test_a_host_that_does_not_resolve_is_an_oserror() -> None:
    with pytest.raises(OSError, match="Name or service not known"):
        ProfilingServer("", 0).start()


def test_it_listens_on_ipv6(start: Starter) -> None:
    try:
        server = start("::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert server.url == f"http://[::1]:{server.port}/debug/pprof/"
    connection = http.client.HTTPConnection("::1", server.port, timeout=SECONDS)
    connection.request("GET", "/debug/pprof/cmdline")
    assert connection.getresponse().read().split(b"\0")[0]
    connection.close()


def test_connections_past_the_bound_are_told_so(start: Starter) -> None:
    server = start(max_connections=2)
    with connect(server), connect(server), connect(server) as third:
        answer = read_all(third)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head
    until(lambda: ask(server, "/debug/pprof/cmdline").status == 200)


def test_a_client_that_does_not_finish_its_head_is_dropped(start: Starter) -> None:
    with connect(start(read_seconds=0.1), b"GET /debug/pprof/ HTTP/1.1\r\nHost:") as connection:
        assert read_all(connection) == b""


def test_a_byte_now_and_then_does_not_stretch_the_time_for_a_head() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET")
        with pytest.raises(TimeoutError):
            _Head(ours, seconds=0).readinto(bytearray(10))


def test_what_fails_inside_is_logged_and_answered(
    server: ProfilingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def text(self: ThreadDump) -> bytes:
        raise RuntimeError("the inside")

    monkeypatch.setattr(ThreadDump, "text", text)
    reply = ask(server, "/debug/pprof/threads?debug=1")
    assert (reply.status, reply.body) == (500, b"failed; the log says why\n")
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_text is not None
    assert "the inside" in record.exc_text


def test_what_fails_outside_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with _Listener("127.0.0.1", 0, None, 1, None, 1.0) as listener:
        try:
            int("the outside")
        except ValueError:
            listener.handle_error(None, ("127.0.0.1", 1))
    assert "the outside" in caplog.text


@pytest.fixture
def pprof(tmp_path: Path) -> Callable[..., str]:
    """`go tool pprof`, with its files in the test's own folder and without a way out."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs go: `go tool pprof` is what must read the profiles")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PPROF_TMPDIR": str(tmp_path),
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [go, "tool", "pprof", f"-timeout={SECONDS:g}", *arguments],  # else one and a half times the profile's
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=5 * SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_go_tool_pprof_opens_a_cpu_profile(
    server: ProfilingServer, pprof: Callable[..., str], busy_thread: None
) -> None:
    top = pprof("-top", "-nodefraction=0", f"{server.url}profile?seconds=1")
    assert "File: metadata-center" in top
    assert "Type: cpu" in top
    assert ".busy_thread.<locals>.computing" in top
    wall = pprof(
        "-top", "-nodefraction=0", "-sample_index=wall", "-tagfocus=profiling", f"{server.url}profile?seconds=1"
    )
    assert "socketserver.BaseServer.serve_forever" in wall
    assert ".computing" not in wall


def test_go_tool_pprof_opens_a_heap_profile(
    server: ProfilingServer, pprof: Callable[..., str], busy_thread: None
) -> None:
    top = pprof("-top", "-nodefraction=0", f"{server.url}heap?seconds=1")
    assert "Type: inuse_space" in top
    assert ".busy_thread.<locals>.keeping" in top
    lines = pprof("-top", "-lines", "-sample_index=inuse_objects", "-nodefraction=0", f"{server.url}heap?seconds=1")
    assert f"{__file__}:" in lines


def test_go_tool_pprof_opens_a_dump_of_threads(server: ProfilingServer, pprof: Callable[..., str]) -> None:
    traces = pprof("-traces", f"{server.url}threads")
    assert "Type: threads" in traces
    assert "thread:  profiling" in traces
    assert f"{__name__}.test_go_tool_pprof_opens_a_dump_of_threads" in traces

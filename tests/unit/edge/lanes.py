# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A lane on a transport that is a list of bytes, for tests that speak raw HTTP to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
import uvicorn

from edge.asgi import AsgiScope, HandlerApp, Receive, Send
from edge.backlog import Backlog
from edge.call import Route, Table
from edge.connections import Connections
from edge.dispatcher import Dispatcher
from edge.envelope import TraceIds
from edge.lane import Lane
from edge.lane_state import LaneState
from edge.websocket import Socket
from loadstats.batch import BatchHandlers
from loadstats.engines import EngineHandlers
from loadstats.handlers import LoadHandlers
from loadstats.ledger import Ledger
from loadstats.query import QueryHandlers
from loadstats.waits import Waits


class Transport:
    """What the lane wrote, and what it did to the connection."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        self.peer = peer
        self.written = b""
        self.closing = self.aborted = self.eof = self.reading_paused = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        assert not self.closing or self.aborted or not data, "written after close"
        self.written += data

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        return {"sockname": ("127.0.0.1", 8080), "peername": (self.peer, 50000)}.get(name)


class Pages:
    """Stands in for Django: echoes what it was sent. A path with `/slow` waits until `release` is set."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.seen: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        if "/slow" in scope["path"]:
            await self.release.wait()
        self.seen.append((scope["method"], scope["path"], body))
        answer = b"page %b %b %b" % (scope["method"].encode(), scope["path"].encode(), body)
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Answer(msgspec.Struct):
    """One answer of the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)["data"]

    @property
    def code(self) -> int:
        return int(msgspec.json.decode(self.body)["error"]["code"])


def answers(written: bytes, head_only: Iterable[int] = ()) -> list[Answer]:
    """Take a connection's bytes apart; `head_only` are the places of answers to HEAD. Informational ones count too."""
    found: list[Answer] = []
    skip = set(head_only)
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, rest = rest.partition(b"\r\n")
                length = int(size, 16)
                body, rest = body + rest[:length], rest[length + 2 :]
                if not length:
                    break
        else:
            length = 0 if len(found) in skip else int(headers.get("content-length", 0))
            assert len(rest) >= length, written
            body, rest = rest[:length], rest[length:]
        found.append(Answer(status, headers, body))
        written = rest
    return found


class Server:
    """The parts a lane needs, and lanes on demand. It serves `routes` beside those of the load."""

    def __init__(self, pages: Any = None, *, routes: Iterable[Route] = (), **limits: Any) -> None:
        self.ledger = Ledger()
        self.now = 1000.0
        self.cold = 0  # for how many seconds the node has been cold
        self.ledger.loads.incarnation = b"life"
        self.waits = Waits(self.ledger.loads.tag, most=3)
        clocks: Any = {"now": lambda: self.now, "wall_ns": lambda: 7}
        handlers = (
            LoadHandlers(self.ledger, **clocks),
            QueryHandlers(self.ledger.loads, self.waits),
            BatchHandlers(self.ledger, **clocks),
            EngineHandlers(self.ledger, **clocks),
        )
        load = [route for part in handlers for route in part.routes()]
        self.dispatcher = Dispatcher(Table([*load, *routes]), TraceIds(1))
        defaults: dict[str, Any] = {
            "max_header_bytes": 4096,
            "max_body_bytes": 2048,
            "read_timeout_seconds": 10.0,
            "idle_timeout_seconds": 60.0,
            "write_timeout_seconds": 30.0,
            "cold_seconds": lambda: self.cold,
        }
        defaults.update(limits)
        self.lanes = LaneState(self.dispatcher, now=self.now, **defaults)
        self.lanes.backlog = Backlog(clock=lambda: 0)  # no share ends because the machine is slow
        self.connections = Connections(self.lanes)
        self.pages = pages or Pages()
        self.app = HandlerApp(self.dispatcher, self.pages, max_body_bytes=defaults["max_body_bytes"])
        ws: Any = partial(Socket, shared=self.lanes)
        self.config = uvicorn.Config(self.app, ws=ws, lifespan="off", log_config=None, access_log=False)
        self.config.load()
        self.state = self.lanes.server_state

    def connect(self, peer: str = "127.0.0.1") -> tuple[Lane, Transport]:
        """A new connection of a client at this address."""
        lane = Lane(self.config, self.state, {}, asyncio.get_running_loop(), shared=self.lanes)
        transport = Transport(peer)
        lane.connection_made(transport)  # type: ignore[arg-type]
        return lane, transport

    async def settle(self) -> None:
        """Let the backlog and the tasks of Django's side run until they are done or wait for something."""
        turns = 50
        while turns:
            await asyncio.sleep(0)
            turns = 50 if self.lanes.backlog else turns - 1

    async def speak(self, *pieces: bytes) -> Transport:
        """Send the pieces on one connection, one read each, and wait for what comes back."""
        lane, transport = self.connect()
        for piece in pieces:
            if transport.closing:
                break
            lane.data_received(piece)
            await self.settle()
        return transport


def post(body: bytes, *headers: bytes, path: bytes = b"/v1/load/stats", method: bytes = b"POST") -> bytes:
    """A request with a body, as a gateway sends it."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: node", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def add(number: int, *headers: bytes, cluster: str = "c") -> bytes:
    """A well-formed POST for request `r<number>`."""
    body = {"cluster": cluster, "request_id": f"r{number}", "ip": f"10.0.0.{number}", "prompt_length": number}
    return post(msgspec.json.encode(body), *headers)


def get(cluster: bytes = b"c", *headers: bytes) -> bytes:
    """A GET of a cluster's load."""
    lines = [b"GET /v1/load/stats?cluster=" + cluster + b" HTTP/1.1", b"Host: node", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def page(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request that Django answers."""
    return post(body, *headers, path=path)


def batch(operations: list[dict[str, Any]]) -> bytes:
    """Many operations in one call."""
    return post(msgspec.json.encode({"ops": operations}), path=b"/v1/load/batch")


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once something is so."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.001)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One client that takes all it can get of one thing, in a process of its own.

`python -m tests.attacks.client_flood KIND HOST PORT SOURCE`: it connects from the address SOURCE, writes a line once
its flood is under way, floods until its standard input ends, and then writes how often each status was answered, as
JSON. Status 0 is a connection that was closed or refused without an answer, status 1 one that was made.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count

from tests.nodes import ROOT

OWNERS = 10_000
ENGINES = 111_000
EMOJI_IDS = 20_000
BATCH = 3_000  # operations of one call
GENTLY = 0.05  # seconds before a refused client tries again: it should be the node that bounds it, not this process


class Statuses(Counter[int]):
    """How often each status was answered."""


class Attacker:
    """One client at one address.

    `statuses`: what it was answered.
    """

    def __init__(self, host: str, port: int, source: str) -> None:
        self.statuses = Statuses()
        self._host, self._port, self._source = host, port, source

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(self._host, self._port, local_addr=(self._source, 0))
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """Read one answer."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length)
        self.statuses[int(head.split(None, 2)[1])] += 1
        return body

    async def ask(self, requests: Iterator[bytes], *, closing: bool = False) -> None:
        """Send one request after the other, each when the last was answered; on a new connection if `closing`."""
        while True:
            try:
                async with self._connected() as (reader, writer):
                    for request in requests:
                        writer.write(request)
                        await self._answer(reader)
                        if closing:
                            break
                    else:
                        return
            except (OSError, asyncio.IncompleteReadError):
                self.statuses[0] += 1
                await asyncio.sleep(GENTLY)

    async def hold(self, request: bytes) -> None:
        """Hold a connection that has sent this, and take the next when it is closed."""
        while True:
            try:
                async with self._connected() as (reader, writer):
                    writer.write(request)
                    self.statuses[1] += 1
                    while data := await reader.read(1 << 16):
                        if data.startswith(b"HTTP/1.1 "):
                            self.statuses[int(data[9:12])] += 1
            except OSError:
                pass
            self.statuses[0] += 1
            await asyncio.sleep(GENTLY)

    async def shake_hands(self) -> None:
        """Encrypt one connection after the other, and leave each at once."""
        context = trusting()
        while True:
            try:
                _, writer = await asyncio.open_connection(
                    self._host, self._port, local_addr=(self._source, 0), ssl=context
                )
                writer.transport.abort()
                self.statuses[1] += 1
            except OSError:
                self.statuses[0] += 1
                await asyncio.sleep(GENTLY)

    async def offer_hands(self, number: int) -> None:
        """Begin many handshakes, end none, and leave them all at once, again and again."""
        hello = client_hello()
        while True:
            held: list[asyncio.StreamWriter] = []
            for _ in range(number):
                try:
                    _, writer = await asyncio.open_connection(self._host, self._port, local_addr=(self._source, 0))
                except OSError:
                    break
                writer.write(hello)
                held.append(writer)
            self.statuses[1] += len(held)
            await asyncio.sleep(GENTLY)
            for writer in held:
                writer.transport.abort()


def client_hello() -> bytes:
    """The first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting().wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def get(target: str, *headers: str) -> bytes:
    """A request without a body."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: node", *headers, "", ""]).encode()


def send(method: str, target: str, body: object) -> bytes:
    """A request with one."""
    encoded = json.dumps(body, ensure_ascii=False).encode()
    return b"%b %b HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n%b" % (
        method.encode(),
        target.encode(),
        len(encoded),
        encoded,
    )


def trusting() -> ssl.SSLContext:
    """A context for any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def owners() -> Iterator[bytes]:
    """Heartbeats of invented owners, for a day each."""
    for number in range(OWNERS):
        yield send("PUT", "/v1/load/owner", {"owner": f"invented-{number}", "ttl_seconds": 86_400})


def engines() -> Iterator[bytes]:
    """Adds on invented engines, in batches."""
    for first in range(0, ENGINES, BATCH):
        numbers = range(first, min(first + BATCH, ENGINES))
        ops = [
            {"op": "add", "cluster": "invented", "request_id": f"e{n}", "ip": f"10.{n >> 14}.{n >> 7 & 127}.{n & 127}"}
            for n in numbers
        ]
        yield send("POST", "/v1/load/batch", {"ops": ops})


def emoji_ids() -> Iterator[bytes]:
    """Adds with ids of 256 emoji, of four bytes each."""
    for first in range(0, EMOJI_IDS, BATCH):
        ops = []
        for number in range(first, min(first + BATCH, EMOJI_IDS)):
            marks = "".join(chr(0x1F600 + (number >> shift & 15)) for shift in (12, 8, 4, 0))
            ops.append({"op": "add", "cluster": "emoji", "request_id": marks + "😀" * 252, "ip": "10.0.0.1"})
        for start in range(0, len(ops), BATCH // 2):
            yield send("POST", "/v1/load/batch", {"ops": ops[start : start + BATCH // 2]})


def repeated(request: bytes) -> Iterator[bytes]:
    """The same, without end."""
    for _ in count():
        yield request


STATS = get("/v1/load/stats?cluster=c")
SOCKET = get(
    "/ws/load/",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
KINDS: dict[str, Callable[[Attacker], list[asyncio.Task[None]]]] = {}


def tasks(number: int, work: Callable[[], object]) -> list[asyncio.Task[None]]:
    """So many tasks that each do this."""
    return [asyncio.create_task(work()) for _ in range(number)]  # type: ignore[arg-type]


KINDS["owners"] = lambda attacker: tasks(1, lambda: attacker.ask(owners()))
KINDS["engines"] = lambda attacker: tasks(1, lambda: attacker.ask(engines()))
KINDS["emoji ids"] = lambda attacker: tasks(1, lambda: attacker.ask(emoji_ids()))
KINDS["calls"] = lambda attacker: tasks(400, lambda: attacker.ask(repeated(STATS)))
KINDS["calls on new connections"] = lambda attacker: tasks(64, lambda: attacker.ask(repeated(STATS), closing=True))
KINDS["connections"] = lambda attacker: tasks(14_000, lambda: attacker.hold(b""))
KINDS["waits"] = lambda attacker: tasks(1200, lambda: attacker.hold(get("/v1/load/stats?cluster=idle&wait=60")))
KINDS["sockets"] = lambda attacker: tasks(1200, lambda: attacker.hold(SOCKET))
KINDS["handshakes"] = lambda attacker: tasks(64, attacker.shake_hands)
KINDS["half-open handshakes"] = lambda attacker: tasks(1, lambda: attacker.offer_hands(1024))


def is_under_way(kind: str, statuses: Statuses, before: int) -> bool:
    """Whether it has what it gets, or so much that it goes on without end. `before`: all of half a second ago."""
    if statuses[0] > 200:
        return True
    if kind.startswith("calls"):
        return statuses[200] > 1000
    if kind.endswith("handshakes"):
        return statuses[1] > 1024
    return statuses.total() == before > 0


async def flood(kind: str, attacker: Attacker) -> None:
    """Flood until standard input ends."""
    work = KINDS[kind](attacker)
    before = 0
    while not is_under_way(kind, attacker.statuses, before):
        before = attacker.statuses.total()
        await asyncio.sleep(0.5)
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    sys.stdout.write(json.dumps(attacker.statuses))


def make_way() -> None:
    """Run only while a core is free. An attacker's machine is another: what is measured is not the want of a core."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


class Flood:
    """A flood as a test sees it. `statuses` is there once it has ended."""

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}


@contextmanager
def flooded(kind: str, host: str, port: int, source: str) -> Iterator[Flood]:
    """A flood that is under way while the block runs."""
    found = Flood()
    command = [sys.executable, "-m", "tests.attacks.client_flood", kind, host, str(port), source]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield found
        finally:
            output, _ = process.communicate("")
    found.statuses = {int(status): number for status, number in json.loads(output.splitlines()[-1]).items()}


if __name__ == "__main__":
    make_way()
    asyncio.run(flood(sys.argv[1], Attacker(sys.argv[2], int(sys.argv[3]), sys.argv[4])))

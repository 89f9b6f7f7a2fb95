# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The floor server: what a request costs a Python process on uvloop that does nothing with it.

It does not read requests: each piece of data counts as one and gets the same bytes. It prints one port for each size of
answer, on one line. Runs as a process of its own, `python -m benchmarks.floor SIZE...`, until it is ended.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from functools import partial

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"


def answer(size: int) -> bytes:
    """A whole HTTP answer of exactly `size` bytes, or the smallest there is where that is larger."""
    body = size - len(_HEAD % size)
    while body > 0 and len(_HEAD % body) + body < size:
        body += 1
    return _HEAD % max(body, 0) + b" " * max(body, 0)


class Floor(asyncio.Protocol):
    """One connection."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._write(self._said)


async def serve(sizes: Sequence[int]) -> None:
    """Listen on a free loopback port for each size, print the ports, and serve."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(partial(Floor, answer(size)), "127.0.0.1", 0) for size in sizes]
    print("ports", *(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    gc.freeze()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    uvloop.run(serve([int(size) for size in sys.argv[1:]]))

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines on loopback that speak as much of OpenAI's API as LiteLLM asks for, and do what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

PIECES = 3


class FakeEngine:
    """One engine.

    `may_begin`, `may_end`: what an answer waits for before its first piece and before its last one.
    `status`: what it answers; an error is answered at once.
    `breaks`: it drops the connection after the first piece.
    `served`: requests that arrived.
    `open`: those that are not answered in full; a client that leaves is noticed.
    """

    def __init__(self) -> None:
        self.may_begin, self.may_end = asyncio.Event(), asyncio.Event()
        self.status = 200
        self.breaks = False
        self.served = 0
        self.open = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
                asked = json.loads(await reader.readexactly(length))
                self.served += 1
                self.open += 1
                try:
                    await self._answer(writer, asked, lines[0])
                finally:
                    self.open -= 1
                if self.breaks:
                    break
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, asked: dict[str, Any], first: str) -> None:
        if self.status != 200:
            _whole(writer, {"error": {"message": "made to fail", "type": "server_error"}}, self.status)
            return
        gone = asyncio.create_task(_until_gone(writer))
        try:
            if not await _first_of(self.may_begin, gone):
                return
            if not asked.get("stream"):
                _whole(writer, _embedding() if "embeddings" in first else _completion(asked))
                return
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for number in range(PIECES):
                if number == PIECES - 1 and not await _first_of(self.may_end, gone):
                    return
                _piece(writer, asked, str(number), "stop" if number == PIECES - 1 else None)
                await writer.drain()
                if self.breaks:
                    return
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        finally:
            gone.cancel()


async def _until_gone(writer: asyncio.StreamWriter) -> None:
    while not writer.transport.is_closing():
        await asyncio.sleep(0.01)  # between two looks, not in place of one


async def _first_of(event: asyncio.Event, gone: asyncio.Task[None]) -> bool:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return event.is_set()


def _whole(writer: asyncio.StreamWriter, body: dict[str, Any], status: int = 200) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "0 1 2"}
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": asked["model"],
        "choices": [{"index": 0, "message": message, "text": "0 1 2", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
    }  # fmt: skip


def _embedding() -> dict[str, Any]:
    row = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
    return {"object": "list", "model": "m", "data": [row], "usage": {"prompt_tokens": 5, "total_tokens": 5}}


def _piece(writer: asyncio.StreamWriter, asked: dict[str, Any], text: str, why: str | None) -> None:
    piece = {
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": asked["model"],
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "text": text, "finish_reason": why}],
    }  # fmt: skip
    line = b"data: " + json.dumps(piece).encode() + b"\n\n"
    writer.write(b"%x\r\n%s\r\n" % (len(line), line))


@asynccontextmanager
async def running_engines(count: int) -> AsyncIterator[list[FakeEngine]]:
    """Engines on free ports of 127.0.0.1."""
    engines = [FakeEngine() for _ in range(count)]
    servers = [await asyncio.start_server(engine.serve, "127.0.0.1", 0) for engine in engines]
    for engine, server in zip(engines, servers, strict=True):
        engine.port = server.sockets[0].getsockname()[1]
    try:
        yield engines
    finally:
        for engine, server in zip(engines, servers, strict=True):
            engine.may_begin.set()
            engine.may_end.set()
            server.close()

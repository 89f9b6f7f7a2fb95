# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A small honest node for the replay's tests: the load calls of the contract on a free loopback port, and its faults.

Runs on the loop that enters it, or with `in_thread` on one of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class FakeNode:
    """`drop_delete_every` N: every Nth delete is answered and not carried out. `fail_every` N: every Nth call is
    answered with 500 and not carried out; `fail_after` N: every call after the Nth is. `hang_on` N: the Nth call is
    carried out and never answered."""

    drop_delete_every: int = 0
    fail_every: int = 0
    fail_after: int = 0
    hang_on: int = 0
    garble: bytes | None = None
    on_add: Callable[[int], None] = lambda _added: None
    url: str = ""
    calls: int = 0
    deletes: int = 0
    adds: int = 0
    most_open: int = 0
    # What a caller did that the real gateway does not.
    complaints: list[str] = field(default_factory=list)
    # request id -> cluster, engine, prompt length still counted
    open: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    engines: dict[str, set[str]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/load/stats", self._query)
        app.router.add_post("/v1/load/stats", self._add)
        app.router.add_delete("/v1/load/prompt", self._first_token)
        app.router.add_delete("/v1/load/stats", self._done)
        self._released = asyncio.Event()
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._runner.cleanup()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve on a loop of its own until the block ends."""
        up, loop, down = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

        async def serve() -> None:
            async with self:
                up.set()
                await down.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
        thread.start()
        assert up.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(down.set)
            thread.join(10)
            loop.close()

    async def _query(self, request: web.Request) -> web.Response:
        if refusal := await self._refusal(request):
            return refusal
        cluster = request.query["cluster"]
        rows: dict[str, dict[str, Any]] = {
            ip: {"ip": ip, "queued_req_num": 0, "prompt_length": 0, "updated_time": 1}
            for ip in self.engines.get(cluster, ())
        }
        for owner, ip, prompt in self.open.values():
            if owner == cluster:
                rows[ip]["queued_req_num"] += 1
                rows[ip]["prompt_length"] += prompt
        return self._ok(list(rows.values()) or None)

    async def _add(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refusal := await self._refusal(request):
            return refusal
        self.open[body["request_id"]] = (body["cluster"], body["ip"], body["prompt_length"])
        self.engines.setdefault(body["cluster"], set()).add(body["ip"])
        self.adds += 1
        self.most_open = max(self.most_open, len(self.open))
        self.on_add(self.adds)
        return await self._answer()

    async def _first_token(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refusal := await self._refusal(request):
            return refusal
        if self._carried_out(body) and (entry := self.open.get(body["request_id"])):
            self.open[body["request_id"]] = (*entry[:2], 0)
        return await self._answer()

    async def _done(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refusal := await self._refusal(request):
            return refusal
        if self._carried_out(body):
            self.open.pop(body["request_id"], None)
        return await self._answer()

    async def _refusal(self, request: web.Request) -> web.Response | None:
        self.calls += 1
        if "Content-Type" in request.headers:
            self.complaints.append(f"{request.method} with a Content-Type")
        if "TraceId" not in request.headers:
            self.complaints.append(f"{request.method} without a TraceId")
        broken = self.fail_every and self.calls % self.fail_every == 0
        if broken or (self.fail_after and self.calls > self.fail_after):
            return web.json_response({"status": "ERROR", "error": {"code": 50001000}, "data": None}, status=500)
        return None

    def _carried_out(self, body: dict[str, str]) -> bool:
        if body.get("cluster") != "" or body.get("ip") != "":
            self.complaints.append("a delete without the members cluster and ip")
        self.deletes += 1
        return not (self.drop_delete_every and self.deletes % self.drop_delete_every == 0)

    async def _answer(self) -> web.Response:
        if self.calls == self.hang_on:
            await self._released.wait()
        return self._ok({})

    def _ok(self, data: object) -> web.Response:
        if self.garble is not None:
            return web.Response(body=self.garble)
        return web.json_response({"status": "OK", "error": None, "data": data, "trace_id": "t"})

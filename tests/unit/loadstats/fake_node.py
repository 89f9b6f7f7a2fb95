# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A small honest node for the replay's tests: the load calls of the contract on a free loopback port, and its faults.

Runs on the loop that enters it, or with `in_thread` on one of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

from aiohttp import web


@dataclass
class FakeNode:
    """`drop_delete_every` N: every Nth delete is answered and not carried out. `fail_every` N: every Nth call is
    answered with 500 and not carried out; `fail_after` N: every call after the Nth is. `cut_on` N: the Nth add is
    carried out and cut off without an answer. `die_on` N: the Nth call and all after it are, and not carried out, until
    `revive_on` M calls have come in vain; it takes over a peer's state then. `unready` N: so often /readyz says no, -1:
    always.

    What was carried out is told to the `peers` at once, but every Nth thing with `lose_every` N.
    """

    drop_delete_every: int = 0
    fail_every: int = 0
    fail_after: int = 0
    cut_on: int = 0
    die_on: int = 0
    revive_on: int = 0
    unready: int = 0
    lose_every: int = 0
    peers: list[FakeNode] = field(default_factory=list)
    garble: bytes | None = None
    on_add: Callable[[int], None] = lambda _added: None
    url: str = ""
    calls: int = 0
    deletes: int = 0
    adds: int = 0
    most_open: int = 0
    dead: bool = False
    in_vain: int = 0
    told: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    # What a caller did that the real gateway does not.
    complaints: list[str] = field(default_factory=list)
    # request id -> cluster, engine, prompt length still counted
    open: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    engines: dict[str, set[str]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/v1/load/stats", self._query)
        app.router.add_post("/v1/load/stats", self._add)
        app.router.add_delete("/v1/load/prompt", self._delete)
        app.router.add_delete("/v1/load/stats", self._delete)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
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
        assert up.wait(60)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(down.set)
            thread.join(60)
            loop.close()

    async def _ready(self, request: web.Request) -> web.Response:
        self._refuse_if_dead(request)
        self.unready -= self.unready > 0
        return web.json_response({}, status=503 if self.unready else 200)

    def _refuse_if_dead(self, request: web.Request) -> None:
        if self.dead and self.revive_on and self.in_vain >= self.revive_on:
            self.dead, self.die_on = False, 0
            self.open, self.engines = dict(self.peers[0].open), self.peers[0].engines
        if self.dead:
            self.in_vain += 1
            cut_off(request)

    def take(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Carry a call out."""
        name = body["request_id"]
        if method == "POST":
            self.open[name] = (body["cluster"], body["ip"], body["prompt_length"])
            self.engines.setdefault(body["cluster"], set()).add(body["ip"])
        elif path == "/v1/load/stats":
            self.open.pop(name, None)
        elif entry := self.open.get(name):
            self.open[name] = (*entry[:2], 0)

    def _carry_out(self, request: web.Request, body: dict[str, Any]) -> None:
        self.take(request.method, request.path, body)
        for peer in self.peers:
            self.told += 1
            if not (peer.dead or (self.lose_every and self.told % self.lose_every == 0)):
                peer.take(request.method, request.path, body)

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
        self._carry_out(request, body)
        self.adds += 1
        self.most_open = max(self.most_open, len(self.open))
        self.on_add(self.adds)
        if self.adds == self.cut_on:
            cut_off(request)
        return self._ok({})

    async def _delete(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refusal := await self._refusal(request):
            return refusal
        if self._carried_out(body):
            self._carry_out(request, body)
        return self._ok({})

    async def _refusal(self, request: web.Request) -> web.Response | None:
        self.calls += 1
        self.by_method[request.method] += 1
        self.dead = self.dead or self.calls == self.die_on
        self._refuse_if_dead(request)
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

    def _ok(self, data: object) -> web.Response:
        if self.garble is not None:
            return web.Response(body=self.garble)
        return web.json_response({"status": "OK", "error": None, "data": data, "trace_id": "t"})


def cut_off(request: web.Request) -> NoReturn:
    """End the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionAbortedError

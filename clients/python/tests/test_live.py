# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The live copy of a cluster's load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

pytest.importorskip("websockets", reason="needs the extra live")

from metadata_center_client.live import OPTIONS, LiveLoad, addresses, follow, follow_async
from websockets.asyncio.server import ServerConnection, serve


def message(kind: str, version: int, *rows: dict[str, Any], gone: list[str] | None = None) -> bytes:
    return msgspec.json.encode({"type": kind, "version": version, "engines": list(rows), "gone": gone or []})


def test_it_follows_what_changes() -> None:
    copy = LiveLoad()
    assert copy.age_seconds == float("inf")
    copy.take(
        message("snapshot", 1, {"ip": "10.0.0.1", "queued_req_num": 1}, {"ip": "fe80::1", "port": 80, "dp_rank": 3})
    )
    before = copy.engines
    copy.take(message("changes", 2, {"ip": "10.0.0.1", "queued_req_num": 2}, gone=["[fe80::1]:80/3"]))
    copy.take(message("alive", 2))
    assert {name: row.queued_req_num for name, row in copy.engines.items()} == {"10.0.0.1": 2}
    assert set(before) == {"10.0.0.1", "[fe80::1]:80/3"}
    assert copy.live
    assert copy.age_seconds < 60


def test_a_missing_message_is_noticed() -> None:
    copy = LiveLoad()
    copy.take(message("snapshot", 1))
    with pytest.raises(ValueError, match="missing"):
        copy.take(message("changes", 3))
    with pytest.raises(ValueError, match="not a message"):
        copy.take(b"{")


def test_all_nodes_are_tried_with_the_name_encoded() -> None:
    assert sorted(addresses(["http://a", "https://b/"], "a/b")) == ["ws://a/ws/load/a%2Fb/", "wss://b/ws/load/a%2Fb/"]


def test_ranks_of_an_address_without_a_port_are_engines_of_their_own() -> None:
    copy = LiveLoad()
    copy.take(message("snapshot", 1, {"ip": "10.0.0.1", "dp_rank": 0}, {"ip": "fe80::1", "dp_rank": 1}))
    assert set(copy.engines) == {"10.0.0.1/0", "[fe80::1]/1"}
    copy.take(message("changes", 2, gone=["[fe80::1]/1"]))
    assert set(copy.engines) == {"10.0.0.1/0"}


@asynccontextmanager
async def hanging_node() -> AsyncIterator[str]:
    """A node that sends one message and then hangs. Yields its URL."""

    async def hang(socket: ServerConnection) -> None:
        await socket.send(message("snapshot", 1, {"ip": "10.0.0.1"}).decode())
        socket.transport.pause_reading()
        await socket.wait_closed()

    async with serve(hang, "127.0.0.1", 0, close_timeout=0.1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "ws_proxy", "socks_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")

    async def run() -> None:
        async with hanging_node() as url:
            async with follow_async([url], "c") as copy:
                assert set(copy.engines) == {"10.0.0.1"}
            await asyncio.to_thread(in_a_thread, url)

    def in_a_thread(url: str) -> None:
        with follow([url], "c") as copy:
            assert copy.ready.wait(60)

    asyncio.run(run())


def test_a_block_that_is_cancelled_while_it_ends_is_cancelled() -> None:
    async def run() -> None:
        ends = asyncio.Event()

        async def block(url: str) -> None:
            async with follow_async([url], "c"):
                ends.set()

        async with hanging_node() as url:
            task = asyncio.create_task(block(url))
            await ends.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_a_copy_whose_node_hangs_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for as long either as the socket waits for the node's own close."""
    monkeypatch.setattr("metadata_center_client.live.SILENT_SECONDS", 0.3)
    monkeypatch.setitem(OPTIONS, "close_timeout", 60)

    async def run() -> None:
        async with hanging_node() as url, asyncio.timeout(30), follow_async([url], "c") as copy:
            while copy.live:
                await asyncio.sleep(0.01)  # between two looks, not in place of one

    asyncio.run(run())

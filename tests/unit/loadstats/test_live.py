# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The sockets, driven as a server would drive them: the real feed, consumers, routes and channel layer on one loop."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from channels.testing import WebsocketCommunicator
from prometheus_client import CollectorRegistry, generate_latest

from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.key_table import NoKeys
from edge.page_sites import PageSites
from loadstats.ledger import Ledger
from loadstats.live import feed as feeds
from loadstats.live import summary_view
from loadstats.live.consumers import LoadConsumer
from loadstats.live.feed import Feed
from loadstats.live.layer import LocalChannelLayer
from loadstats.live.meter import SocketCollector
from loadstats.live.routing import sockets
from loadstats.live.stream import group_name

HOST = (b"host", b"node:8080")
SECONDS = 60.0


class Live:
    """A feed on a ledger, and clients."""

    def __init__(self, layer: LocalChannelLayer | None = None, **options: Any) -> None:
        self.ledger = Ledger(request_seconds=20, tombstone_seconds=5)
        self.layer = layer or LocalChannelLayer(capacity=100)
        self.feed = Feed(
            self.ledger,
            "[fd00::1]:8080",
            lambda: self.layer,
            **{"interval_seconds": 0.005, "max_clients": 3, "wall_ns": lambda: 7} | options,
        )
        self.app = sockets(self.feed, Doors(sites=PageSites(["https://ops.example"])))
        self._numbers = iter(range(10**6))

    def add(self, cluster: str = "c", ip: str = "10.0.0.1", prompt_length: int = 5) -> None:
        self.ledger.add(f"r{next(self._numbers)}", cluster, ip, prompt_length, 0.0, 9)

    @asynccontextmanager
    async def open(self, path: str = "/ws/load/c/", *headers: tuple[bytes, bytes]) -> Any:
        client = Client(self.app, path, headers=[HOST, *headers])
        connected, why = await client.connect(SECONDS)
        assert connected, why
        try:
            yield client
        finally:
            await client.disconnect(timeout=SECONDS)


class Client(WebsocketCommunicator):  # type: ignore[misc] # Channels has no types
    async def said(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(await self.receive_from(SECONDS))
        return found

    async def closed(self) -> int:
        output = await self.receive_output(SECONDS)
        assert output["type"] == "websocket.close"
        return int(output["code"])


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60):
            await test()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for _ in range(6000):
            if others := {task for task in others if not task.done()}:
                await asyncio.sleep(0.01)
        assert not others, "nothing runs when nobody listens"

    asyncio.run(whole())


def test_a_cluster_is_told_as_a_snapshot_and_then_what_changes() -> None:
    async def test() -> None:
        live = Live()
        live.add()
        live.add(ip="10.0.0.2:80/1")
        async with live.open() as client:
            said = await client.said()
            rows = msgspec.json.decode(live.ledger.loads.answer("c"))
            assert said == {
                "type": "snapshot",
                "version": 1,
                "time_ns": 7,
                "node": "[fd00::1]:8080",
                "cluster": "c",
                "added_total": 2,
                "engines": rows,
            }
            live.add()
            live.ledger.loads.answer("c")  # a gateway asks before the feed looks
            said = await client.said()
            rows = msgspec.json.decode(live.ledger.loads.answer("c"))
            assert said == {
                "type": "changes",
                "version": 2,
                "time_ns": 7,
                "added_total": 3,
                "engines": rows[:1],
                "gone": [],
            }
            for request_id in ("r0", "r1", "r2"):
                live.ledger.done(request_id, 0.0, 10)
            assert (await client.said())["version"] == 3
            while live.ledger.expire(100.0, 11):
                pass
            said = await client.said()
            assert (said["engines"], sorted(said["gone"])) == ([], ["10.0.0.1", "10.0.0.2:80/1"])
            live.add()
            said = await client.said()
            assert [row["ip"] for row in said["engines"]] == ["10.0.0.1"]

    run(test)


def test_a_closed_socket_leaves_nothing_for_a_full_collection() -> None:
    def consumers() -> int:
        return sum(isinstance(each, LoadConsumer) for each in gc.get_objects())

    async def test() -> None:
        live = Live()
        async with live.open() as client:
            await client.said()
            assert consumers() == 1
        del client
        while consumers():
            await asyncio.sleep(0.001)

    gc.collect()
    gc.disable()
    try:
        run(test)
    finally:
        gc.enable()


def test_the_summary_has_a_row_for_each_cluster() -> None:
    async def test() -> None:
        live = Live()
        live.add("b", prompt_length=3)
        live.add("b", prompt_length=4)
        live.add("b", "10.0.0.2", prompt_length=9)
        async with live.open("/ws/load/") as client:
            said = await client.said()
            row = {
                "cluster": "b",
                "engines": 2,
                "queued_req_num": 3,
                "prompt_length": 16,
                "max_queued_req_num": 2,
                "max_prompt_length": 9,
                "added_total": 3,
                "prefill_req_num": 3,
                "hottest": "10.0.0.1",
            }
            assert said == {
                "type": "snapshot",
                "version": 1,
                "time_ns": 7,
                "node": "[fd00::1]:8080",
                "clusters": [row],
                "omitted": 0,
            }
            live.add("a")
            said = await client.said()
            assert [row["cluster"] for row in said["clusters"]] == ["a"]
            assert said["gone"] == []
            live.ledger.clear()
            said = await client.said()
            assert (said["clusters"], sorted(said["gone"])) == ([], ["a", "b"])

    run(test)


def test_the_summary_adds_up_phases_tokens_and_orphans_where_there_are_any() -> None:
    async def test() -> None:
        live = Live()
        wanted = ("prefill_req_num", "token_num", "orphaned_req_num")
        for name, ip, tokens in (("r1", "10.0.0.1", 700), ("r2", "10.0.0.2:80", 40)):
            live.ledger.add(name, "c", ip, 5, 0.0, 9, owner="gateway")
            live.ledger.tokens(name, tokens, 3, 0.0, 9)
        live.ledger.beat("gateway", 1, 0.0, 9)
        async with live.open("/ws/load/") as client:
            (row,) = (await client.said())["clusters"]
            assert [row.get(member) for member in wanted] == [2, 746, None]
            live.ledger.first_token("r1", 0.0, 10)
            while live.ledger.lapse(3.0, 11):
                pass
            (row,) = (await client.said())["clusters"]
            assert [row.get(member) for member in wanted] == [1, 746, 2]
            for name in ("r1", "r2"):
                live.ledger.done(name, 3.0, 12)
            (row,) = (await client.said())["clusters"]
            assert [row.get(member) for member in wanted] == [None, None, None]

    run(test)


def test_the_summary_lists_the_first_by_name_and_counts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_view, "LISTED", 2)

    async def test() -> None:
        live = Live()
        for name in "cbd":
            live.add(name)
        async with live.open("/ws/load/") as client:
            said = await client.said()
            assert [row["cluster"] for row in said["clusters"]] == ["b", "c"]
            assert said["omitted"] == 1
            live.add("a")
            said = await client.said()
            assert ([row["cluster"] for row in said["clusters"]], said["gone"]) == (["a"], ["c"])

    run(test)


def test_names_may_hold_anything() -> None:
    async def test() -> None:
        live = Live()
        name = 'a/b "ü"\n'
        live.add(name)
        async with live.open("/ws/load/a/b%20%22%C3%BC%22%0A/") as client:
            said = await client.said()
            assert (said["cluster"], len(said["engines"])) == (name, 1)

    run(test)


def test_a_stream_says_that_it_is_there_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ALIVE_SECONDS", 0.02)

    async def test() -> None:
        live = Live()
        live.add()
        async with live.open() as client, live.open("/ws/load/") as overview:
            assert (await client.said())["type"] == (await overview.said())["type"] == "snapshot"
            assert await client.said() == {"type": "alive", "version": 1, "time_ns": 7, "added_total": 1}
            assert await overview.said() == {"type": "alive", "version": 1, "time_ns": 7}

    run(test)


def test_all_sockets_of_a_stream_are_sent_the_same_and_a_late_one_misses_nothing() -> None:
    async def test() -> None:
        live = Live()
        live.add()
        async with live.open() as early:
            await early.said()
            live.add()
            changes = await early.said()
            async with live.open() as late:
                snapshot = await late.said()
                assert (snapshot["version"], snapshot["engines"]) == (2, changes["engines"])
                live.add()
                assert await early.said() == await late.said()

    run(test)


def test_many_sockets_each_get_one_message_for_all_that_happened_in_an_interval() -> None:
    async def test() -> None:
        live = Live(max_clients=30)
        async with AsyncExitStack() as clients:
            watching = [await clients.enter_async_context(live.open()) for _ in range(30)]
            for client in watching:
                assert (await client.said())["type"] == "snapshot"
            for number in range(50):
                live.add(ip=f"10.0.0.{number % 5}")
            for client in watching:
                said = await client.said()
                assert (said["version"], len(said["engines"]), said["added_total"]) == (2, 5, 50)
            for client in watching:
                assert await client.receive_nothing(0.001)

    run(test)


def test_what_clients_say_is_ignored() -> None:
    async def test() -> None:
        live = Live()
        async with live.open() as client:
            await client.said()
            await client.send_to(text_data="hello")
            await client.send_to(bytes_data=b"\xff")
            live.add()
            assert (await client.said())["type"] == "changes"

    run(test)


def test_one_client_too_many_is_told_to_try_later() -> None:
    async def test() -> None:
        live = Live(max_clients=1)
        async with live.open() as client:
            async with live.open("/ws/load/") as other:
                assert await other.closed() == 1013
            assert live.feed.meter.refused["full"] == 1
            assert (await client.said())["type"] == "snapshot"
        async with live.open() as client:
            assert (await client.said())["type"] == "snapshot"

    run(test)


class FixedKeys(NoKeys):
    """Keys by their text."""

    def __init__(self, keys: dict[bytes, Caller]) -> None:
        self.keys = keys

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        return self.keys.get(headers.get(b"x-api-key", b""))


def test_a_socket_is_closed_when_its_key_ends_and_others_stay_open() -> None:
    async def test() -> None:
        live = Live()
        keys = {key: Caller(f"key {key.decode()}", frozenset({Scope.READ})) for key in (b"lost", b"kept")}
        live.app = sockets(live.feed, Doors(FixedKeys(keys)))
        path = "/ws/load/c/"
        async with (
            live.open(path, (b"x-api-key", b"lost")) as lost,
            live.open(path, (b"x-api-key", b"kept")) as kept,
            live.open() as stranger,
        ):
            for client in (lost, kept, stranger):
                assert (await client.said())["type"] == "snapshot"
            assert live.feed.lasting.begun == 2
            assert live.feed.lasting.end_without(lambda caller: caller.name == "key kept") == 1
            assert await lost.closed() == 4401
            live.add()
            for client in (kept, stranger):
                assert (await client.said())["type"] == "changes"
        assert live.feed.lasting.begun == 0

    run(test)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ws/load/mine-1/", 0), ("/ws/load/theirs/", 403), ("/ws/load/", 403)],
)
def test_a_limited_key_opens_the_sockets_of_its_clusters_alone(path: str, status: int) -> None:
    async def test() -> None:
        live = Live()
        keys = {b"key": Caller("key gw", frozenset({Scope.READ}), ("mine-*",))}
        live.app = sockets(live.feed, Doors(FixedKeys(keys), required=True))
        client = Client(live.app, path, headers=[HOST, (b"x-api-key", b"key")])
        connected, _ = await client.connect(SECONDS)
        assert connected == (status == 0)
        assert live.feed.meter.refused["key"] == bool(status)
        await client.disconnect(timeout=SECONDS)

    run(test)


def test_a_node_that_stops_sends_no_more_and_takes_no_more() -> None:
    async def test() -> None:
        live = Live()
        live.feed.start()
        async with live.open() as client:
            await client.said()
            await live.feed.stop()
            live.add()
            assert await client.receive_nothing(0.05)
            async with live.open() as other:
                assert await other.closed() == 1001

    run(test)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        (b"node:8080", None, True),  # a program
        (b"node:8080", b"http://node:8080", True),
        (b"NODE:8080", b"http://Node:8080", True),
        (b"10.0.0.1", b"https://10.0.0.1", True),
        (b"node:8080", b"https://ops.example", True),
        (b"node:8080", b"http://ops.example", False),
        (b"node:8080", b"http://node:9090", False),
        (b"node:8080", b"http://evil.example", False),
        (b"node:8080", b"null", False),
        (b"node:8080", b"", False),
        (b"node:8080", b"http://[", False),
        (b"node:8080", b"http://node:99999999", False),
        (b"node:8080", b"\xff", False),
        (b"evil.example", b"http://evil.example", False),  # a name of a stranger's that leads here
        (b"", None, False),
    ],
)
def test_pages_of_other_sites_are_refused(host: bytes, origin: bytes | None, allowed: bool) -> None:
    async def test() -> None:
        live = Live()
        headers = [(b"host", host), *([(b"origin", origin)] if origin is not None else [])]
        client = WebsocketCommunicator(live.app, "/ws/load/", headers=headers)
        connected, _ = await client.connect(SECONDS)
        assert connected is allowed
        assert live.feed.meter.refused["origin"] == (not allowed)
        await client.disconnect()

    run(test)


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ((b"origin", b"null"), 403),
        ((b"origin", b"http://evil.example"), 403),
        ((b"sec-fetch-site", b"cross-site"), 403),
        ((b"sec-fetch-site", b"same-site"), 403),
        ((b"host", b"evil.example"), 400),
    ],
)
def test_a_refusal_is_the_contracts_error(field: tuple[bytes, bytes], status: int) -> None:
    assert run_handshake(Doors(), [HOST, field]) == status


@pytest.mark.parametrize(
    ("headers", "required", "status"),
    [
        ([], False, 101),
        ([], True, 401),
        ([(b"cookie", b"sessionid=none")], True, 401),
        ([(b"x-api-key", b"read")], True, 101),
        ([(b"x-api-key", b"write")], True, 403),
        ([(b"x-api-key", b"gone")], True, 401),
        ([(b"x-api-key", b"gone")], False, 101),
        ([(b"x-api-key", b"write")], False, 403),
    ],
)
@pytest.mark.django_db
def test_a_socket_needs_what_reading_needs(headers: list[tuple[bytes, bytes]], required: bool, status: int) -> None:
    class Keys(NoKeys):
        def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
            scope = headers.get(b"x-api-key", b"").decode()
            return Caller("key", frozenset({Scope(scope)})) if scope in list(Scope) else None

    assert run_handshake(Doors(Keys(), required=required), [HOST, *headers]) == status


def run_handshake(doors: Doors, headers: list[tuple[bytes, bytes]]) -> int:
    """The HTTP status of a handshake; 101 where the socket opens. The error is the contract's."""
    found: list[int] = []

    async def test() -> None:
        live = Live()
        live.app = sockets(live.feed, doors)
        client = WebsocketCommunicator(live.app, "/ws/load/", headers=headers)
        client.scope["extensions"] = {"websocket.http.response": {}}
        await client.send_input({"type": "websocket.connect"})
        first = await client.receive_output(SECONDS)
        if first["type"] == "websocket.accept":
            found.append(101)
            await client.disconnect()
            return
        body = msgspec.json.decode((await client.receive_output(SECONDS))["body"])
        assert body["error"]["code"] // 100000 == first["status"]
        found.append(first["status"])

    run(test)
    return found[0]


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/load", "/ws/load/c", f"/ws/load/{'x' * 257}/", "/console/"])
def test_other_paths_are_refused(path: str) -> None:
    async def test() -> None:
        live = Live()
        client = WebsocketCommunicator(live.app, path, headers=[HOST])
        client.scope["extensions"] = {"websocket.http.response": {}}
        await client.send_input({"type": "websocket.connect"})
        assert (await client.receive_output(SECONDS))["status"] == 404
        assert (await client.receive_output(SECONDS))["type"] == "websocket.http.response.body"
        assert live.feed.meter.refused["path"] == 1

    run(test)


class BrokenLayer(LocalChannelLayer):
    """Fails, forgets or stands still, as told."""

    fault: Callable[[], Awaitable[None]] | None = None

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.fault is not None:
            await self.fault()
        else:
            await super().group_send(group, message)


async def fail() -> None:
    raise OSError("gone")


async def stand_still() -> None:
    await asyncio.Event().wait()


async def forget() -> None:
    pass


@pytest.mark.parametrize("fault", [fail, stand_still, forget])
def test_a_layer_that_does_not_work_is_passed_by(
    fault: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feeds, "LAYER_SECONDS", 0.05)
    monkeypatch.setattr(feeds, "AWAY_SECONDS", 0.1)
    monkeypatch.setattr(feeds, "ALIVE_SECONDS", 0.02)

    async def test() -> None:
        layer = BrokenLayer()
        live = Live(layer)
        async with live.open() as client:
            await client.said()
            layer.fault = fault
            live.add()
            said = await client.said()
            while said["added_total"] != 1:
                said = await client.said()
            assert [row["ip"] for row in said["engines"]] == ["10.0.0.1"]
            assert live.feed.meter.layer_failures > 0
            layer.fault = None
            failures = None
            while failures != live.feed.meter.layer_failures:  # a second without a failure
                failures = live.feed.meter.layer_failures
                for _ in range(10):
                    await client.said()
            live.add()
            while said["added_total"] != 2:
                said = await client.said()

    with caplog.at_level(logging.WARNING, "loadstats.live"):
        run(test)
    assert "channel layer: " in caplog.text


def test_a_layer_that_cannot_be_joined_is_passed_by(caplog: pytest.LogCaptureFixture) -> None:
    class Absent(LocalChannelLayer):
        async def group_add(self, group: str, channel: str) -> None:
            raise OSError("no Redis")

    async def test() -> None:
        live = Live(Absent())
        async with live.open() as client:
            assert (await client.said())["type"] == "snapshot"
            live.add()
            assert (await client.said())["type"] == "changes"

    with caplog.at_level(logging.WARNING, "loadstats.live"):
        run(test)
    assert "channel layer: no Redis" in caplog.text


def test_messages_go_through_the_streams_group() -> None:
    async def test() -> None:
        live = Live()
        async with live.open() as client:
            await client.said()
            channel = await live.layer.new_channel()
            await live.layer.group_add(group_name("[fd00::1]:8080", "c"), channel)
            live.add()
            message = await asyncio.wait_for(live.layer.receive(channel), SECONDS)
            assert msgspec.json.decode(message["text"]) == await client.said()

    run(test)


def test_group_names_are_what_channels_takes_and_differ_by_node_and_stream() -> None:
    names = {
        group_name(node, cluster)
        for node in ("10.0.0.1:8080", "10.0.0.1-8080", "[fd00::1%eth0]:80", "ü" * 300, "ü" * 301)
        for cluster in (None, "", "None", "c", "c/d", "ü" * 256)
    }
    assert len(names) == 30
    assert all(LocalChannelLayer().require_valid_group_name(name) for name in names)


def test_a_look_that_fails_is_logged_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        live = Live()
        async with live.open("/ws/load/") as client:
            await client.said()
            clusters = live.ledger.clusters
            failed = asyncio.Event()

            def fail_once() -> list[str]:
                monkeypatch.setattr(live.ledger, "clusters", clusters)
                failed.set()
                raise RuntimeError("a fault of ours")

            monkeypatch.setattr(live.ledger, "clusters", fail_once)
            await failed.wait()
            live.add()
            assert (await client.said())["type"] == "changes"

    run(test)
    assert "a fault of ours" in caplog.text


def test_a_stream_that_cannot_begin_ends_its_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        live = Live()

        def fail() -> list[str]:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(live.ledger, "clusters", fail)
        client = Client(live.app, "/ws/load/", headers=[HOST])
        assert (await client.connect(SECONDS))[0]
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(client.future, SECONDS)
        assert live.feed.meter.open == 0

    run(test)


def test_a_socket_whose_client_is_gone_ends_quietly_and_one_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        for problem in (OSError("gone"), RuntimeError("a fault of ours")):
            live = Live()
            closed = asyncio.Event()
            inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            inbox.put_nowait({"type": "websocket.connect"})

            async def send(
                message: dict[str, Any], problem: Exception = problem, closed: asyncio.Event = closed
            ) -> None:
                if message["type"] == "websocket.send":
                    closed.set()
                    raise problem
                assert message["type"] == "websocket.accept" or message["code"] == 1011

            scope = {"type": "websocket", "path": "/ws/load/c/", "headers": [HOST]}
            socket = asyncio.create_task(live.app(scope, inbox.get, send))
            await closed.wait()
            await asyncio.sleep(0)
            inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
            await socket
            assert live.feed.meter.open == 0

    run(test)
    assert caplog.text.count("Traceback") == 1
    assert "a fault of ours" in caplog.text


def test_it_counts_for_prometheus() -> None:
    async def test() -> None:
        live = Live()
        registry = CollectorRegistry()
        registry.register(SocketCollector(live.feed.meter))
        async with live.open() as client:
            await client.said()
            live.add()
            await client.said()
            text = generate_latest(registry).decode()
        assert 'metadata_center_socket_clients{stream="cluster"} 1.0' in text
        assert 'metadata_center_socket_messages_total{type="snapshot"} 1.0' in text
        assert 'metadata_center_socket_messages_total{type="changes"} 1.0' in text
        assert 'metadata_center_socket_refused_total{reason="full"} 0.0' in text
        assert "metadata_center_socket_fell_back_total 0.0" in text

    run(test)


def test_the_local_layer_still_forgets_what_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        layer = LocalChannelLayer(expiry=-1)
        monkeypatch.setattr(LocalChannelLayer, "_cleaned", 0.0)
        await layer.send("somebody", {"type": "late"})
        await layer.group_send("nobody", {"type": "x"})
        assert layer.channels == {}

    run(test)

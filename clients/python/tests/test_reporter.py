# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of a request, reported in the background."""

from __future__ import annotations

import asyncio
import sys
from threading import Event, Thread
from types import FrameType
from typing import Any

import httpx
import pytest
from fake_nodes import URLS, FakeNodes, answer
from metadata_center_client import AsyncClient, AsyncReporter, Client, Reporter, calls


@pytest.fixture
def nodes() -> FakeNodes:
    return FakeNodes()


def client_of(nodes: FakeNodes) -> Client:
    return Client(URLS, http=httpx.Client(transport=httpx.MockTransport(nodes)))


def async_client_of(nodes: FakeNodes) -> AsyncClient:
    return AsyncClient(URLS, http=httpx.AsyncClient(transport=httpx.MockTransport(nodes.later)))


def test_a_request_is_reported_from_start_to_end(nodes: FakeNodes) -> None:
    with client_of(nodes) as client:
        with Reporter(client) as reporter, reporter.request("qwen", "r1", ip="10.0.0.1", prompt_length=9) as request:
            request.first_token()
            request.first_token()
            request.tokens(output_tokens=5)
            assert request.engine == "10.0.0.1"
        request.end()
    assert nodes.operations() == [
        {"op": "add", "cluster": "qwen", "request_id": "r1", "ip": "10.0.0.1", "prompt_length": 9},
        {"op": "prompt", "request_id": "r1"},
        {"op": "tokens", "request_id": "r1", "output_tokens": 5},
        {"op": "delete", "request_id": "r1"},
    ]


def test_a_block_that_fails_ends_its_request(nodes: FakeNodes) -> None:
    with (
        client_of(nodes) as client,
        Reporter(client) as reporter,
        pytest.raises(ZeroDivisionError),
        reporter.request("qwen", "r1", ip="10.0.0.1"),
    ):
        raise ZeroDivisionError
    assert [each["op"] for each in nodes.operations()] == ["add", "delete"]


def test_an_end_may_say_that_the_engine_failed(nodes: FakeNodes) -> None:
    with (
        client_of(nodes) as client,
        Reporter(client) as reporter,
        reporter.request("qwen", "r1", ip="10.0.0.1") as request,
    ):
        request.end(outcome="error")
    assert nodes.operations()[-1] == {"op": "delete", "request_id": "r1", "outcome": "error"}
    assert calls.end("r1", None, "", "error").body == b'{"request_id":"r1","outcome":"error"}'
    assert calls.end("r1", None, "").body == b'{"request_id":"r1"}'


def test_what_a_pick_left_out_is_left_out_of_the_start_too(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer({"ip": "10.0.0.1", "attempt": 1, "cache_length": 3})
    members = {"prompt_length": 1000, "prompt_hash": [1, 2, 3, 4]}
    with client_of(nodes) as client, Reporter(client) as reporter:
        reporter.request("qwen", "r1", uncached=True, **members)
        reporter.request("qwen", "r2", **members)
    starts = [each["prompt_length"] for each in nodes.operations() if each["op"] == "add"]
    assert starts == [250, 1000]


def test_a_picked_engine_is_reported_once_more_for_the_case_that_its_node_dies(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer({"ip": "2001:db8::1", "port": 8000, "attempt": 1, "score": 1.0})
    with client_of(nodes) as client, Reporter(client, owner="gw") as reporter:
        with reporter.request("qwen", "r1", prompt_length=7) as request:
            assert request.engine == "[2001:db8::1]:8000"
            assert request.picked is not None
        incarnation = reporter.incarnation
    add, end = nodes.operations()
    assert add == {
        "op": "add", "cluster": "qwen", "request_id": "r1", "ip": "2001:db8::1", "port": 8000, "attempt": 1,
        "owner": "gw", "incarnation": incarnation, "prompt_length": 7,
    }  # fmt: skip
    assert end == {"op": "delete", "request_id": "r1", "attempt": 1}
    beats = [body for _, method, path, body in nodes.asked if path == "/v1/load/owner"]
    assert beats[0] == {"owner": "gw", "ttl_seconds": 10, "incarnation": incarnation}


def test_where_no_node_can_pick_the_gateway_chooses(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer(None, 503)
    with client_of(nodes) as client, Reporter(client) as reporter, reporter.request("qwen", "r1") as request:
        assert request.picked is None
        request.first_token()  # of a request that was sent nowhere there is nothing to report
        request.sent_to("10.0.0.9", port=8000)
        assert request.engine == "10.0.0.9:8000"
    assert [each["op"] for each in nodes.operations()] == ["add", "delete"]


def test_what_waits_when_all_nodes_are_down_does_not_hold_up_the_caller_or_the_end(nodes: FakeNodes) -> None:
    nodes.down = {"a", "b", "c"}
    client = client_of(nodes)
    reporter = Reporter(client, owner="gw")
    with reporter.request("qwen", "r1", ip="10.0.0.1"):
        pass
    assert not reporter.close(timeout_seconds=0.05)
    assert len(reporter.outbox) == 2


def test_with_asyncio_it_is_the_same(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer({"ip": "10.0.0.4", "attempt": 2})

    async def serve() -> None:
        async with async_client_of(nodes) as client, AsyncReporter(client, owner="gw") as reporter:
            async with await reporter.request("qwen", "r1") as request:
                request.first_token()
            with pytest.raises(asyncio.CancelledError):
                async with await reporter.request("qwen", "r2", ip="10.0.0.5"):
                    raise asyncio.CancelledError

    asyncio.run(serve())
    assert [(each["op"], each["request_id"]) for each in nodes.operations()] == [
        ("add", "r1"), ("prompt", "r1"), ("delete", "r1"), ("add", "r2"), ("delete", "r2"),
    ]  # fmt: skip


def test_a_request_for_which_the_gateway_chooses_has_its_owner_and_its_length_too(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer(None, 503)
    with client_of(nodes) as client, Reporter(client, owner="gw") as reporter:
        for pick in (True, False):
            with reporter.request("qwen", "r1", pick=pick, prompt_length=7, candidates=["10.0.0.9"]) as request:
                request.sent_to("10.0.0.9")
        incarnation = reporter.incarnation
    starts = [each for each in nodes.operations() if each["op"] == "add"]
    about = {"op": "add", "cluster": "qwen", "request_id": "r1", "ip": "10.0.0.9"}
    kept = {"owner": "gw", "incarnation": incarnation, "prompt_length": 7}
    # Of the first a node was asked. It may have counted the request elsewhere: this attempt stands over that one.
    assert starts == [{**about, **kept, "attempt": 2}, {**about, **kept}]


def test_a_request_that_is_sent_to_another_engine_counts_there_and_ends_there(nodes: FakeNodes) -> None:
    nodes.answers["POST", "/v1/load/pick"] = answer({"ip": "10.0.0.1", "attempt": 3})
    with client_of(nodes) as client, Reporter(client) as reporter:
        with reporter.request("qwen", "r1") as request:
            request.first_token()
            request.sent_to("10.0.0.2")
            request.first_token()
            request.sent_to("10.0.0.3", attempt=9)
        request.sent_to("10.0.0.4")
        request.first_token()
    assert [(each["op"], each.get("ip"), each.get("attempt")) for each in nodes.operations()] == [
        ("add", "10.0.0.1", 3), ("prompt", None, 3), ("add", "10.0.0.2", 4), ("prompt", None, None),
        ("add", "10.0.0.3", 9), ("delete", None, 9),
    ]  # fmt: skip


def test_an_operation_that_is_no_json_does_not_end_the_reporter(nodes: FakeNodes) -> None:
    async def serve() -> None:
        async with async_client_of(nodes) as client, AsyncReporter(client) as reporter:
            await reporter.request("qwen", "r1", ip="10.0.0.1", prompt_length=object())
            await reporter.request("qwen", "r2", ip="10.0.0.1")

    with client_of(nodes) as client, Reporter(client) as reporter:
        reporter.request("qwen", "r1", ip="10.0.0.1", prompt_length=object())
        reporter.request("qwen", "r2", ip="10.0.0.1")
    asyncio.run(serve())
    assert [each["request_id"] for each in nodes.operations()] == ["r2", "r2"]


def test_a_fault_of_a_delivery_does_not_end_the_reporter(nodes: FakeNodes) -> None:
    faults = [RuntimeError(), RuntimeError()]

    def failing(request: httpx.Request) -> httpx.Response:
        if faults:
            raise faults.pop()
        return nodes(request)

    async def failing_later(request: httpx.Request) -> httpx.Response:
        return failing(request)

    async def serve() -> None:
        http = httpx.AsyncClient(transport=httpx.MockTransport(failing_later))
        async with AsyncClient(URLS, http=http) as client, AsyncReporter(client, owner="gw") as reporter:
            await reporter.request("qwen", "r2", ip="10.0.0.1")

    http = httpx.Client(transport=httpx.MockTransport(failing))
    with Client(URLS, http=http) as client, Reporter(client, owner="gw") as reporter:
        reporter.request("qwen", "r1", ip="10.0.0.1")
    faults += [RuntimeError(), RuntimeError()]
    asyncio.run(serve())
    assert [each["request_id"] for each in nodes.operations()] == ["r1", "r2"]


def test_a_heartbeat_asks_all_nodes(nodes: FakeNodes) -> None:
    nodes.down = {"a", "b"}
    for owner in "pqr":  # one of them is asked of the node that is up at last
        with client_of(nodes) as client, Reporter(client, owner=owner) as reporter:
            reporter.request("qwen", "r1", ip="10.0.0.1")
    assert [body["owner"] for _, _, path, body in nodes.asked if path == "/v1/load/owner"] == ["p", "q", "r"]


def test_a_close_says_that_not_all_is_delivered_while_a_call_is_under_way(
    nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_center_client.reporter.CALL_SECONDS", 0.0)
    asked, may_answer = Event(), Event()

    def slow(request: httpx.Request) -> httpx.Response:
        asked.set()
        may_answer.wait(60)
        return nodes(request)

    with Client(URLS, http=httpx.Client(transport=httpx.MockTransport(slow))) as client:
        reporter = Reporter(client)
        reporter.request("qwen", "r1", ip="10.0.0.1")
        asked.wait(60)
        assert not reporter.close(0.01)
        may_answer.set()
        assert reporter.close(60)
    assert len(nodes.operations()) == 1


def test_with_asyncio_a_close_ends_in_time_and_its_operations_still_wait() -> None:
    async def serve() -> None:
        asked = asyncio.Event()

        async def hangs(request: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        http = httpx.AsyncClient(transport=httpx.MockTransport(hangs))
        async with AsyncClient(URLS, http=http) as client, asyncio.timeout(60), AsyncReporter(client) as reporter:
            await reporter.request("qwen", "r1", ip="10.0.0.1")
            await asked.wait()
            assert not await reporter.close(0.01)
            assert len(reporter.outbox) == 1

    asyncio.run(serve())


def test_operations_may_be_put_in_the_midst_of_putting_one_as_destructors_do(nodes: FakeNodes) -> None:
    def run() -> None:
        with client_of(nodes) as client, Reporter(client) as reporter:
            inside = False

            def trace(frame: FrameType, event: str, argument: Any) -> Any:
                nonlocal inside
                if not inside and (frame.f_code.co_name, event) in {("_ring", "line"), ("__enter__", "return")}:
                    inside = True
                    reporter.put({"op": "delete", "request_id": "inner"})
                    inside = False
                return trace

            sys.settrace(trace)
            try:
                reporter.put({"op": "delete", "request_id": "outer"})
            finally:
                sys.settrace(None)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert "outer" in [each["request_id"] for each in nodes.operations()]

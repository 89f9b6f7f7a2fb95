# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls over several nodes: both clients by the same tests."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx
import pytest
from fake_nodes import URLS, FakeNodes, answer
from metadata_center_client import AsyncClient, CallRefused, Client, NoNodeAnswered

ENGINE = {"cluster": "c", "ip": "10.0.0.1"}
PROMPT = {"cluster": "c", "prompt_hash": [1]}
END = {"op": "delete", "request_id": "r"}


class Both:
    """One of the two clients, called the same way."""

    def __init__(self, nodes: FakeNodes, *, asynchronous: bool, **options: Any) -> None:
        self._nodes, self._asynchronous, self._options = nodes, asynchronous, options

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        if not self._asynchronous:
            http = httpx.Client(transport=httpx.MockTransport(self._nodes))
            with Client(URLS, http=http, **self._options) as client:
                return getattr(client, name)(*args, **named)

        async def make() -> Any:
            http = httpx.AsyncClient(transport=httpx.MockTransport(self._nodes.later))
            async with AsyncClient(URLS, http=http, **self._options) as client:
                return await getattr(client, name)(*args, **named)

        return asyncio.run(make())


@pytest.fixture
def nodes() -> FakeNodes:
    return FakeNodes()


@pytest.fixture(params=[False, True], ids=["threads", "asyncio"])
def client(nodes: FakeNodes, request: pytest.FixtureRequest) -> Both:
    return Both(nodes, asynchronous=request.param)


def test_load_is_read(nodes: FakeNodes, client: Both) -> None:
    nodes.answers["GET", "/v1/load/stats"] = answer([{"ip": "10.0.0.1", "queued_req_num": 3, "new_number": 1}])
    (row,) = client.call("load", "qwen")
    assert (row.ip, row.queued_req_num, row.port) == ("10.0.0.1", 3, None)
    assert (row.prefill_req_num, row.token_num, row.orphaned_req_num) == (0, 0, 0)  # a node leaves out what is 0


def test_a_cluster_without_engines_has_no_rows(client: Both) -> None:
    assert client.call("load", "qwen") == []


def test_a_node_that_is_down_is_passed_over(nodes: FakeNodes, client: Both) -> None:
    client.call("start", "qwen", "r1", "10.0.0.1", prompt_length=5)
    (first, method, path, body) = nodes.asked[0]
    assert (method, path) == ("POST", "/v1/load/stats")
    assert body == {"cluster": "qwen", "request_id": "r1", "ip": "10.0.0.1", "prompt_length": 5}
    nodes.down = {first}
    client.call("end", "r1", cluster="qwen")
    assert nodes.asked[1][0] != first
    assert nodes.asked[1][1:] == ("DELETE", "/v1/load/stats", {"request_id": "r1"})


def test_two_nodes_are_asked_and_no_more(nodes: FakeNodes, client: Both) -> None:
    nodes.down = {"a", "b", "c"}
    with pytest.raises(NoNodeAnswered) as caught:
        client.call("load", "qwen")
    assert len(caught.value.failures) == 2
    assert "connection refused" in str(caught.value)


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_of_the_node_is_a_reason_to_ask_another(nodes: FakeNodes, client: Both, status: int) -> None:
    nodes.answers["GET", "/v1/load/stats"] = answer(None, status)
    with pytest.raises(NoNodeAnswered, match=f"HTTP status {status}"):
        client.call("load", "qwen")
    assert len(nodes.asked) == 2


def test_an_error_of_the_call_is_raised_at_once(nodes: FakeNodes, client: Both) -> None:
    error = {"code": 40001400, "message": "invalid input", "reason": "ip: expected an address"}
    nodes.answers["POST", "/v1/load/stats"] = answer(None, 400, error)
    with pytest.raises(CallRefused, match="ip: expected an address") as caught:
        client.call("start", "qwen", "r1", "nowhere")
    assert (caught.value.status, caught.value.code, caught.value.trace_id) == (400, 40001400, "t")
    assert len(nodes.asked) == 1


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"data": 7}'])
def test_what_is_no_answer_of_a_node_is_a_failure_of_it(nodes: FakeNodes, client: Both, content: bytes) -> None:
    nodes.answers["GET", "/v1/load/stats"] = httpx.Response(200, content=content)
    with pytest.raises(NoNodeAnswered, match="not an answer of a node"):
        client.call("load", "qwen")


@pytest.mark.parametrize(
    ("name", "args", "named", "sent"),
    [
        ("first_token", ("r",), {}, ("DELETE", "/v1/load/prompt", {"request_id": "r"})),
        ("tokens", ("r",), {"output_tokens": 7}, ("PUT", "/v1/load/tokens", {"request_id": "r", "output_tokens": 7})),
        ("refresh", (["r", "s"],), {}, ("PUT", "/v1/load/refresh", {"request_ids": ["r", "s"]})),
        ("heartbeat", ("g",), {}, ("PUT", "/v1/load/owner", {"owner": "g", "ttl_seconds": 10})),
        ("drop_engine", ("c", "10.0.0.1"), {"all": True}, ("DELETE", "/v1/load/engine", {**ENGINE, "all": True})),
        ("save_prompt", ("c", "10.0.0.1", [1]), {}, ("POST", "/v1/cache/save", {**ENGINE, "prompt_hash": [1]})),
        ("find_prompt", ("c", [1]), {"top_k": 3}, ("POST", "/v1/cache/query", {**PROMPT, "top_k": 3})),
        ("drop_cache", ("c",), {}, ("DELETE", "/v1/cache", {"cluster": "c"})),
        ("clusters", (), {"after": "a", "limit": 5}, ("GET", "/v1/load/clusters", None)),
        ("owners", (), {"order": "oldest", "cluster": None}, ("GET", "/v1/load/owners", None)),
        ("end_owner", ("g",), {"dry_run": True}, ("DELETE", "/v1/load/owner", {"owner": "g", "dry_run": True})),
        ("log_level", ("WARN",), {}, ("POST", "/log/level", {"LevelParam": "WARN"})),
        ("batch", ([END],), {}, ("POST", "/v1/load/batch", {"ops": [END]})),
    ],
)
def test_each_call_is_sent_as_the_api_says(
    nodes: FakeNodes, client: Both, name: str, args: tuple[Any, ...], named: dict[str, Any], sent: tuple[str, str, Any]
) -> None:
    client.call(name, *args, **named)
    assert nodes.asked[0][1:] == sent


def test_what_is_asked_for_stands_in_the_query(nodes: FakeNodes) -> None:
    seen: list[httpx.Request] = []
    http = httpx.Client(transport=httpx.MockTransport(lambda request: seen.append(request) or nodes(request)))
    with Client(URLS, http=http) as client:
        client.owners(order="oldest", cluster=None, limit=7)
        client.history("a b", range="1h")
        client.events(severity="error")
    assert [str(request.url.query, "ascii") for request in seen] == [
        "order=oldest&limit=7", "cluster=a+b&range=1h", "severity=error",
    ]  # fmt: skip


def test_a_key_goes_with_each_call(nodes: FakeNodes) -> None:
    seen = []
    http = httpx.Client(transport=httpx.MockTransport(lambda request: seen.append(request) or nodes(request)))
    with Client(URLS, key="mc_secret", http=http) as client:
        client.load("c")
    assert seen[0].headers["Authorization"] == "Bearer mc_secret"


@pytest.mark.parametrize("error", [ssl.SSLError("certificate required"), httpx.InvalidURL("no port"), OSError("gone")])
def test_a_failure_that_httpx_does_not_make_its_own_is_one_of_the_node(error: Exception) -> None:
    def fails(request: httpx.Request) -> httpx.Response:
        raise error

    async def fails_later(request: httpx.Request) -> httpx.Response:
        raise error

    async def make() -> None:
        async with AsyncClient(URLS, http=httpx.AsyncClient(transport=httpx.MockTransport(fails_later))) as client:
            await client.load("c")

    with (
        Client(URLS, http=httpx.Client(transport=httpx.MockTransport(fails))) as client,
        pytest.raises(NoNodeAnswered, match=str(error.args[-1])),
    ):
        client.load("c")
    with pytest.raises(NoNodeAnswered, match=str(error.args[-1])):
        asyncio.run(make())


def test_only_the_answer_of_a_call_that_takes_long_is_waited_for_longer(nodes: FakeNodes) -> None:
    """Not the connection: a node that is gone is passed over at once."""
    seen: list[dict[str, float]] = []
    http = httpx.Client(
        transport=httpx.MockTransport(lambda request: seen.append(request.extensions["timeout"]) or nodes(request))
    )
    with Client(URLS, http=http) as client:
        client.load("c", wait_seconds=30)
        client.batch([END] * 2_000)
    assert [(each["connect"], each["read"]) for each in seen] == [(0.1, 30.1), (0.1, pytest.approx(0.3))]

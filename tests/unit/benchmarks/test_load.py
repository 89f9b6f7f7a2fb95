# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The requests that both load generators send, and the servers and clients that carry them."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from benchmarks import wrk
from benchmarks.floor import answer
from benchmarks.gateway import LAG, LoadGateway
from benchmarks.machine import cores
from benchmarks.openloop_client import OpenLoop, OpenLoopFailed, poisson, steady
from benchmarks.servers import ServerFailed, Servers, call, complete
from tests.unit.benchmarks.scripted import answering


class Call(NamedTuple):
    line: str
    headers: dict[str, str]
    body: dict[str, Any]


def parse(request: bytes) -> Call:
    """A request as a strict reader sees it."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name: value for name, _, value in (field.partition(": ") for field in fields)}
    assert len(headers) == len(fields)
    assert int(headers.get("Content-Length", 0)) == len(body)
    return Call(line, headers, json.loads(body) if body else {})


def check_life(calls: list[Call], lag: int) -> None:
    """Calls look like a gateway's, and a request is added, then has its first token, then ends."""
    added: list[str] = []
    prompts: list[str] = []
    ended: list[str] = []
    for line, headers, body in calls:
        assert headers["User-Agent"] == "Go-http-client/1.1"
        assert headers["Accept-Encoding"] == "gzip"
        assert "Traceid" in headers
        assert "Content-Type" not in headers
        if line.startswith("GET "):
            assert line == "GET /v1/load/stats?cluster=model-a HTTP/1.1"
            continue
        assert str(UUID(body["request_id"])) == body["request_id"]
        if line == "POST /v1/load/stats HTTP/1.1":
            assert set(body) == {"cluster", "request_id", "prompt_length", "ip"}
            added.append(body["request_id"])
        else:
            assert (body["cluster"], body["ip"]) == ("", "")
            names = {"DELETE /v1/load/prompt HTTP/1.1": prompts, "DELETE /v1/load/stats HTTP/1.1": ended}
            names[line].append(body["request_id"])
    assert len(set(added)) == len(added)
    assert prompts == added[: len(prompts)]
    assert ended == prompts[: len(ended)]
    assert 0 <= max(len(added) - lag, 0) - len(prompts) <= 1
    assert 0 <= max(len(added) - 2 * lag, 0) - len(ended) <= 1


def test_a_life_is_added_then_ended() -> None:
    check_life([parse(each) for each in islice(LoadGateway(1).life(), 4001)], LAG)


def test_adds_reach_every_engine_and_vary_in_length() -> None:
    calls = [parse(each).body for each in islice(LoadGateway(2, engines=1000, per_cluster=100).adds(), 1000)]
    assert len({call["ip"] for call in calls}) == 1000
    assert {call["cluster"] for call in calls} == {"model-a", *(f"model-a-{n}" for n in range(1, 10))}
    assert {len(str(call["prompt_length"])) for call in calls} == {1, 2, 3, 4, 5}


def test_two_gateways_share_no_request() -> None:
    assert parse(LoadGateway(1).post(7)).body["request_id"] != parse(LoadGateway(2).post(7)).body["request_id"]


@pytest.mark.parametrize("size", [100, 101, 263, 1099, 1100, 1101, 93_744])
def test_the_floors_answer_has_exactly_the_size_asked_for(size: int) -> None:
    said = answer(size)
    assert len(said) == size
    assert complete(said)
    assert not complete(said[:-1])


def test_an_answer_is_never_smaller_than_its_head() -> None:
    assert complete(answer(10))


@pytest.fixture
def floor_port(tmp_path: Path) -> Iterator[int]:
    with Servers(tmp_path, cores()[0]).floor([263, 9000]) as (pid, ports):
        assert pid > 0
        assert len(call(ports[1], LoadGateway(1).get())) == 9000
        yield ports[0]


def test_an_open_loop_counts_every_call_from_its_own_time(floor_port: int) -> None:
    with OpenLoop(floor_port, connections=4) as client:
        load = client.run(steady(2000, 400), LoadGateway(1).life(), scrape_every_seconds=0.05)
    assert len(load.latencies) == 400
    assert min(load.latencies) > 0
    assert all(late <= latency for late, latency in zip(load.sent_late, load.latencies, strict=True))
    assert {scrape.bytes for scrape in client.scrapes} == {263}


def test_a_stall_counts_for_every_call_that_it_holds_up() -> None:
    times = steady(1000, 20)
    release = threading.Event()

    def calls() -> Iterator[bytes]:
        threading.Timer(0.1, release.set).start()
        yield from repeat(b"GET")

    with answering([(answer(100),)] * 20, release) as server, OpenLoop(server.port, connections=1) as client:
        load = client.run(times, calls())
    # The last was due 19 ms after the first and sent after its answer: it waited for all but those.
    assert min(load.latencies) > load.latencies[0] - 20_000_000
    # That it had no connection to be sent on was not the client's doing.
    assert load.sent_late[19] <= load.latencies[19] - (load.latencies[0] - 19_000_000)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "expected a 200 or 201, got b'HTTP/1.1 503"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "without Content-Length"),
        (b"", "closed a connection"),
    ],
)
def test_an_open_loop_ends_at_a_wrong_answer(said: bytes, told: str) -> None:
    with (
        answering([(said,)]) as server,
        OpenLoop(server.port, connections=1) as client,
        pytest.raises(OpenLoopFailed, match=told),
    ):
        client.run(steady(1000, 1), repeat(b"GET"))


def test_an_answer_in_pieces_is_one() -> None:
    whole = answer(5000)
    pieces = (whole[:10], whole[10:200], whole[200:])
    with answering([pieces, pieces]) as server, OpenLoop(server.port, connections=1) as client:
        assert len(client.run(steady(1000, 1), repeat(b"GET")).latencies) == 1
        assert len(client.run(steady(1000, 1), repeat(b"GET")).latencies) == 1


def test_random_times_keep_the_rate_and_are_the_same_each_time() -> None:
    times = poisson(1000, 20_000)
    assert times == poisson(1000, 20_000)
    assert list(times) == sorted(times)
    assert times[-1] / 1e9 == pytest.approx(20, rel=0.05)


def test_a_server_that_does_not_start_is_told_with_its_output(tmp_path: Path) -> None:
    servers = Servers(tmp_path, cores()[0])
    with pytest.raises(ServerFailed, match="invalid literal"), servers.floor(["x"]):  # type: ignore[list-item]
        pass


def test_wrks_count_is_its_last_line() -> None:
    line = '{"requests":7,"duration_us":2000000,"bytes":70,"refused":0,"broken":0,"p50_us":1,"p99_us":2,"max_us":3}'
    assert wrk.read(f"Running 2s test\n{line}\n").per_second == pytest.approx(3.5)
    with pytest.raises(wrk.WrkFailed, match="of 7 requests 1 refused, 0 broken"):
        wrk.read(line.replace('"refused":0', '"refused":1'))
    with pytest.raises(wrk.WrkFailed, match="unable to connect"):
        wrk.read("Running\n", "unable to connect to 127.0.0.1:1")


def test_a_missing_wrk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(wrk.WrkMissing, match="apt-get install wrk"):
        wrk.find()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")
def test_wrk_sends_the_same_lives() -> None:
    with answering(repeat((answer(263),))) as server:
        count = wrk.run("mixed", server.port, seconds=1, connections=1, settings={"RUN": 3, "TRACE": "every"})
    requests = [parse(each) for each in server.requests]
    assert len(requests) >= count.requests >= 1000
    check_life(requests, LAG)
    traces = {each.headers["Traceid"] for each in requests}
    assert all(str(UUID(trace)) == trace for trace in traces)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node as its users start, ask and stop it: a real process on loopback."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from edge.open_files import TABLE
from tests.nodes import CALL_SECONDS, ROOT, START_SECONDS, NodeProcess, running_node
from tests.processes import count_sockets


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One for the tests that do not mind what it was asked before."""
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node


def run_to_its_end(folder: Path, *, covered: bool = True, **environment: str) -> tuple[int, str]:
    node = NodeProcess(["manage.py", "run"], folder, environment, covered=covered)
    code = node.process.wait(START_SECONDS)
    node.stop()
    return code, "".join(node.output)


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_stops_cleanly_on_a_signal(tmp_path: Path, stop: signal.Signals) -> None:
    with running_node(tmp_path, covered=True) as node:
        assert node.call("GET", "/livez")[0] == 200
        assert node.stop(stop) == 0
        assert "Traceback" not in "".join(node.output)


def test_a_stopping_node_says_so_first_and_finishes_what_is_in_flight(tmp_path: Path) -> None:
    # A stopping node listens until no call has come for 0.3 s. Our call may come too late on a busy machine.
    assert any(says_that_it_stops(tmp_path / str(attempt)) for attempt in range(10))


def says_that_it_stops(folder: Path) -> bool:
    """Stop a node in the middle of a call. Returns False if it was quiet before we asked it."""
    with running_node(folder) as node:
        body = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}'
        slow = socket.create_connection((node.host, node.port), CALL_SECONDS)
        slow.sendall(b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
        probe = HTTPConnection(node.host, node.port, timeout=CALL_SECONDS)
        probe.request("GET", "/readyz")
        assert probe.getresponse().read().startswith(b'{"status":"OK"')
        node.process.send_signal(signal.SIGTERM)
        asked_in_time = True
        while asked_in_time:  # each answer is one more request that keeps the node from being quiet
            try:
                status, headers, answer = node.call("GET", "/readyz")
            except ConnectionError:
                asked_in_time = False
            else:
                if status == 503:
                    assert headers["connection"] == "close"
                    assert msgspec.json.decode(answer)["data"]["status"] == "stopping"
                    break
        slow.sendall(body[5:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 OK") or not asked_in_time
        slow.close()
        probe.close()
        assert node.stop() == 0
        return asked_in_time


@pytest.mark.slow
def test_a_node_that_begins_anew_names_its_answers_anew(tmp_path: Path) -> None:
    """Numbers begin again; a client that asks with a tag of before must not be answered that nothing has changed."""
    target, call = "/v1/load/stats?cluster=", {"cluster": "used", "request_id": "r", "ip": "10.0.0.1"}
    tags = []
    for _ in range(2):
        with running_node(tmp_path) as node:
            node.call("POST", "/v1/load/stats", call)
            for cluster in ("used", "unused"):
                for tag in tags:
                    assert node.call("GET", target + cluster, headers={"If-None-Match": tag})[0] == 200
            tags += [node.call("GET", target + cluster)[1]["etag"] for cluster in ("used", "unused")]
    assert len(set(tags)) == 4


@pytest.mark.slow
def test_the_drain_time_bounds_the_stop(tmp_path: Path) -> None:
    with running_node(tmp_path, covered=True, METADATA_CENTER_HTTP_DRAIN_TIMEOUT="1s") as node:
        stuck = socket.create_connection((node.host, node.port), CALL_SECONDS)
        stuck.sendall(b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\n")
        node.call("GET", "/livez")
        assert node.stop() == 0
        stuck.close()


def test_a_port_in_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        http = {"METADATA_CENTER_HTTP_HOST": "127.0.0.1", "METADATA_CENTER_HTTP_PORT": port}
        code, output = run_to_its_end(tmp_path, METADATA_CENTER_PPROF_ENABLE="false", **http)
        assert code == 2
        assert output.strip().splitlines()[-1].endswith(f"[HTTP] 127.0.0.1:{port}: Address already in use")
        http = {"METADATA_CENTER_HTTP_HOST": "127.0.0.1", "METADATA_CENTER_HTTP_PORT": "0"}
        code, output = run_to_its_end(tmp_path, covered=False, METADATA_CENTER_PPROF_PORT=port, **http)
        assert code == 2
        assert output.strip().splitlines()[-1].endswith(f"[PProf] 127.0.0.1:{port}: Address already in use")
        assert "Traceback" not in output


def test_a_bad_value_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    code, output = run_to_its_end(tmp_path, METADATA_CENTER_HTTP_PORT="http")
    assert code == 2
    assert output.splitlines() == [
        'metadata-center: environment METADATA_CENTER_HTTP_PORT: expected an integer from 0 to 65535, got "http"'
    ]


def test_config_prints_what_is_in_force_and_why(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("HTTP:\n  Port: 8123\nWeb:\n  SecretKey: hush\n")
    command = [sys.executable, "manage.py", "config", "-c", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, check=True)
    assert "[HTTP] Port = 8123" in done.stdout
    assert str(file) in done.stdout
    assert "hush" not in done.stdout


def test_the_log_level_changes_at_run_time(node: NodeProcess) -> None:
    node.call("GET", "/livez")
    node.wait_for("GET /livez 200")
    assert node.call("POST", "/log/level", {"LevelParam": "WARN"})[0] == 200
    node.wait_for("log level changed: INFO -> WARN")
    node.call("GET", "/version")
    assert node.call("POST", "/log/level", {"LevelParam": "INFO"})[0] == 200
    node.wait_for("log level changed: WARN -> INFO")
    assert not any("GET /version" in line for line in node.output)


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:  # which has counted nothing yet
        check_all_metrics(node)


def check_all_metrics(node: NodeProcess) -> None:
    for number in range(3):
        node.call(
            "POST",
            "/v1/load/stats?domain=a.example",
            {"cluster": 'c"\\\n', "request_id": f"r{number}", "ip": "10.0.0.1", "prompt_length": 7},
        )
    node.call("DELETE", "/v1/load/prompt", {"request_id": "r0"})
    node.call("POST", "/v1/load/stats", {})
    node.call("GET", "/nope/by/a/scanner")
    node.call("GET", "/v1/load/stats?cluster=c", headers={"Accept": "text/html"})  # Django's, and the lane's too
    node.call("GET", "/v1/load/stats?cluster=c")
    parsers = {"text/plain": parse_text, "application/openmetrics-text; version=1.0.0": parse_openmetrics}
    for accept, parse in parsers.items():
        status, headers, body = node.call("GET", "/metrics", headers={"Accept": accept})
        assert status == 200
        assert headers["content-type"].startswith(accept.split(";", maxsplit=1)[0])
        check_metrics(body.decode(), parse)


def check_metrics(text: str, parse: Callable[[str], Iterable[Metric]]) -> None:
    """What a node says that was asked by `check_all_metrics`."""
    listed = [
        ((sample.name, *sorted(sample.labels.items())), sample.value)
        for family in parse(text)
        for sample in family.samples
    ]
    samples = dict(listed)
    assert len(samples) == len(listed), "each series once"
    query = ("method", "GET"), ("route", "/v1/load/stats"), ("status", "200")
    assert samples["metadata_center_http_requests_total", *query] == 2
    engine = (("cluster", 'c"\\\n'), ("engine", "10.0.0.1"))
    assert samples["metadata_center_engine_queued_requests", *engine] == 3
    assert samples["metadata_center_engine_prompt_length", *engine] == 14
    old = (("engine_ip", "10.0.0.1"), ("model_name", 'c"\\\n'))
    assert samples["queued_num", *old] == 3
    assert samples["prompt_length", *old] == 14
    assert samples["model_engine_count", ("model_name", 'c"\\\n')] == 1
    route = ("method", "POST"), ("route", "/v1/load/stats")
    assert samples["metadata_center_http_requests_total", *route, ("status", "200")] == 3
    assert samples["metadata_center_http_requests_total", *route, ("status", "400")] == 1
    url = ("method", "POST"), ("status_code", "200"), ("url", "/v1/load/stats")
    assert samples["http_request_status_code_total", *url] == 3
    assert samples["metadata_center_http_request_duration_seconds_count", *route] == 4
    assert samples["http_request_duration_us_count", ("method", "POST"), ("url", "/v1/load/stats")] == 4
    assert samples["metadata_center_http_requests_total", ("method", "GET"), ("route", "other"), ("status", "404")] == 1
    assert samples["domain_requests_total", ("domain", "a.example")] == 3
    assert samples["metacenter_node_alive",] == 1
    assert any(name[0] == "app_version_info" for name in samples)
    assert samples["process_open_fds",] > 0
    assert "scanner" not in text


def test_clients_that_vanish_leave_nothing_behind(node: NodeProcess) -> None:
    vanish(node, rounds=150)


@pytest.mark.slow
def test_clients_that_vanish_for_a_minute_leave_nothing_behind(node: NodeProcess) -> None:
    vanish(node, rounds=6000)


def vanish(node: NodeProcess, rounds: int) -> None:
    """Cut connections in every phase of a request, beside clients that behave, then count what is left."""
    body = b'{"cluster":"c","request_id":"gone","ip":"10.0.0.1"}'
    post = b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    page = b"GET /metrics HTTP/1.1\r\nHost: n\r\n\r\n"
    stop = threading.Event()
    served = [0, 0]

    def behave(place: int) -> None:
        client = HTTPConnection(node.host, node.port, timeout=CALL_SECONDS)
        while not stop.is_set():
            request_id = f"{place}-{served[place]}"
            for method, target, sent in (
                ("POST", "/v1/load/stats", {"cluster": "c", "request_id": request_id, "ip": "10.0.0.1"}),
                ("DELETE", "/v1/load/stats", {"request_id": request_id}),
            ):
                client.request(method, target, msgspec.json.encode(sent))
                response = client.getresponse()
                response.read()
                assert response.status == 200
            served[place] += 1
        client.close()

    threads = [threading.Thread(target=behave, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(rounds):
            # All but the last cut before the request is whole; `page` is cut while Django answers it.
            for sent in (post[: 5 + number % 60], post[:-1], page[:-2], page):
                client = socket.create_connection((node.host, node.port), CALL_SECONDS)
                if number % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # reset, not FIN
                client.sendall(sent)
                client.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * CALL_SECONDS)
    assert min(served) > 0
    # However many pages were asked for and given up, a call is answered at once.
    (row,) = node.data("/v1/load/stats?cluster=c")
    assert (row["queued_req_num"], row["prompt_length"]) == (0, 0)
    alone = (b"metadata_center_connections 1.0", b"metadata_center_page_tasks 1.0")  # this probe
    ends = monotonic() + 60
    while True:  # the one page that was worked on when its client left is still finished
        sockets = count_sockets(node.process.pid)
        status, _, answer = node.call("GET", "/metrics")
        if (status == 200 and sockets <= 6 and all(each in answer for each in alone)) or monotonic() > ends:
            break
    assert status == 200
    assert sockets <= 6, "listeners, the loop's own pair and this probe"
    assert all(each in answer for each in alone), answer
    output = "".join(node.output)
    assert "Traceback" not in output, output[output.index("Traceback") - 500 :][:3000]


@pytest.mark.skipif(sys.platform != "linux", reason="it reads what Linux says of a process")
def test_connections_enlarge_no_table_of_files(node: NodeProcess) -> None:
    def size() -> int:
        lines = Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("FDSize:"))

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    before = size()
    assert before >= min(hard, TABLE)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection((node.host, node.port)))
        assert node.data("/v1/node/clients")[0]["connections"] > 300
        assert size() == before

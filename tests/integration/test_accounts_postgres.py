# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Accounts in a real PostgreSQL: shared by nodes, and not missed by gateways while it is away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from tests.browsers import LOG_IN, Visitor, patiently
from tests.nodes import ROOT, NodeProcess, inherited_environment, running_node
from tests.postgres import IN_URL, PASSWORD, Postgres, running_postgres, wait_for
from tests.sockets import connect

NAME, SECRET = "boss", "long enough and of no one"
PAGE = "/admin/auth/user/"
# What a page may take at most that finds out by itself, on a busy machine. The node's own bound is 3 s.
SLOW_SECONDS = 9.0
WAIT_SECONDS = 120.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        server.execute("CREATE DATABASE people")
        yield server


@pytest.fixture(scope="module")
def pair(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    """Two nodes that start at the same moment on an empty database."""
    environment = {
        "POD_IP": "127.0.0.1",
        "METADATA_CENTER_HTTP_HOST": "127.0.0.1",
        "METADATA_CENTER_HTTP_PORT": "0",
        "METADATA_CENTER_PPROF_PORT": "0",
        "METADATA_CENTER_WEB_DATABASE": postgres.url("people"),
    }
    with ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            folder = tmp_path_factory.mktemp(name)
            node = NodeProcess(["manage.py", "run"], folder, environment, covered=not nodes)  # both run the same code
            stack.callback(node.stop)
            nodes.append(node)
        for node in nodes:
            node.port = int(node.wait_for("  API ").split(":")[-1].split("/")[0])
        for node in nodes:
            until(node, "ok")
            assert [line for line in node.output if "Traceback" in line] == []
        command(postgres, "createsuperuser", "--noinput", "--username", NAME, "--email", "")
        yield nodes[0], nodes[1]


@pytest.fixture
def nodes(pair: tuple[NodeProcess, NodeProcess], postgres: Postgres) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    """The two, with a database that works before and after."""
    yield pair
    postgres.heal()
    for node in pair:
        until(node, "ok")
    postgres.execute("DELETE FROM axes_accessattempt", "people")


def command(postgres: Postgres, *words: str) -> None:
    environment = inherited_environment(covered=False) | {
        "METADATA_CENTER_NODE_DATA_DIR": os.environ["METADATA_CENTER_NODE_DATA_DIR"],
        "METADATA_CENTER_WEB_DATABASE": postgres.url("people"),
        "DJANGO_SUPERUSER_PASSWORD": SECRET,
    }
    script = [sys.executable, str(ROOT / "manage.py"), *words]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def accounts(node: NodeProcess) -> dict[str, Any]:
    """The line of `/readyz`."""
    status, _, body = node.call("GET", "/readyz")
    assert status == 200, body
    (line,) = (part for part in node.data("/readyz")["parts"] if part["name"] == "accounts")
    return dict(line)


def until(node: NodeProcess, state: str, *details: str) -> dict[str, Any]:
    """Wait for a state, with one of these details, if any. A busy machine may see other faults first."""

    def reached() -> bool:
        seen[:] = [accounts(node)]
        return seen[0]["state"] == state and (not details or seen[0]["detail"] in details)

    seen: list[dict[str, Any]] = []
    wait_for(reached, WAIT_SECONDS, lambda: f"{seen}\n{''.join(node.output)}")
    return seen[0]


def timed(ask: Callable[[], int]) -> tuple[int, float]:
    began = monotonic()
    return ask(), monotonic() - began


def assert_load_goes_on(node: NodeProcess) -> None:
    """Calls, a socket, pages that need no account, and readiness."""
    assert node.call("POST", "/v1/load/stats", {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"})[0] == 200
    assert node.data("/v1/load/stats?cluster=c")[0]["queued_req_num"] == 1
    with connect(f"ws://127.0.0.1:{node.port}/ws/load/c/") as socket:
        assert socket.recv(timeout=WAIT_SECONDS)
    for page in ("/console/", "/docs/", "/metrics", LOG_IN):
        assert Visitor().get(node, page) == 200, page
    line = accounts(node)
    assert (line["state"], line["essential"]) == ("degraded", False)


def assert_pages_say_so(node: NodeProcess, visitor: Visitor) -> None:
    """At once, for the node knows by now."""
    waited = [timed(lambda: visitor.get(node, PAGE)) for _ in range(10)]
    assert [status for status, _ in waited] == [503] * 10
    assert min(seconds for _, seconds in waited) < 1.5  # the best counts: others have their share of the machine
    assert "database of people" in visitor.text
    assert visitor.headers["retry-after"]
    assert "sessionid" in visitor.cookies
    stranger = Visitor()
    assert stranger.log_in(node, NAME, SECRET) == 503


def assert_all_is_well_again(nodes: tuple[NodeProcess, ...], visitor: Visitor) -> None:
    for node in nodes:
        until(node, "ok")
        assert patiently(lambda node=node: visitor.get(node, PAGE)) == 200  # type: ignore[misc]
    assert patiently(lambda: Visitor().log_in(nodes[0], NAME, SECRET)) == 302


def logged_in(nodes: tuple[NodeProcess, NodeProcess]) -> Visitor:
    visitor = Visitor()
    assert patiently(lambda: visitor.log_in(nodes[0], NAME, SECRET)) == 302
    return visitor


def test_nodes_that_start_at_once_migrate_once(nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres) -> None:
    twice = "SELECT app, name FROM django_migrations GROUP BY app, name HAVING count(*) > 1"
    assert postgres.execute(twice, "people") == ""
    assert postgres.execute("SELECT name FROM auth_group ORDER BY name", "people").split() == ["operator", "read-only"]
    assert postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "people") == "0"


def test_log_in_on_one_node_is_log_in_on_all_and_log_out_too(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    visitor = logged_in(nodes)
    for node in (two, one, two):
        assert patiently(lambda node=node: visitor.get(node, PAGE)) == 200  # type: ignore[misc]
    set_level = "/admin/metadata_center/node/set_log_level/"
    assert patiently(lambda: visitor.post(one, set_level, level="INFO")) == 302
    assert patiently(lambda: visitor.get(two, "/admin/admin/logentry/")) == 200
    assert NAME in visitor.text
    assert patiently(lambda: visitor.get(two, "/admin/logout/")) == 405  # a link or a picture logs no one out
    assert patiently(lambda: visitor.get(one, PAGE)) == 200
    assert patiently(lambda: visitor.log_out(two)) == 200
    for node in nodes:
        assert patiently(lambda node=node: visitor.get(node, PAGE)) == 302  # type: ignore[misc]


def test_wrong_passwords_are_counted_over_all_nodes(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    def guess(turn: int) -> int:
        return patiently(lambda: Visitor().log_in(nodes[turn % 2], NAME, f"wrong {turn}"))

    answers = [guess(turn) for turn in range(6)]
    assert answers == [200, 200, 200, 200, 429, 429]
    visitor = Visitor()
    assert patiently(lambda: visitor.log_in(nodes[1], NAME, SECRET)) == 429
    assert "too many wrong passwords" in visitor.text
    assert int(visitor.headers["retry-after"]) == 900


def test_a_database_that_hangs_costs_pages_a_moment_and_load_nothing(
    nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres
) -> None:
    visitor = logged_in(nodes)
    assert [patiently(lambda node=node: visitor.get(node, PAGE)) for node in nodes] == [200, 200]  # type: ignore[misc]
    for _ in range(3):  # the best counts: others have their share of the machine
        postgres.freeze()
        status, seconds = timed(lambda: visitor.get(nodes[0], PAGE))
        assert status == 503
        if seconds < SLOW_SECONDS:
            break
        postgres.thaw()
        assert_all_is_well_again(nodes, visitor)
    assert seconds < SLOW_SECONDS
    for node in nodes:
        until(node, "degraded", "no answer")
        assert_load_goes_on(node)
        assert_pages_say_so(node, visitor)
    postgres.thaw()
    assert_all_is_well_again(nodes, visitor)


def test_a_database_that_is_killed_in_the_middle_of_pages_and_refuses_is_used_again_when_it_is_back(
    nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres
) -> None:
    visitor = logged_in(nodes)
    answers: list[int] = []
    killed = Event()

    def read_on() -> None:
        reader = Visitor()
        reader.cookies = dict(visitor.cookies)
        while not (killed.is_set() and answers[-1] != 200):
            answers.append(reader.get(nodes[0], PAGE))

    reader = Thread(target=read_on)
    reader.start()
    wait_for(lambda: answers.count(200) >= 3, WAIT_SECONDS, lambda: str(answers))
    postgres.kill()
    killed.set()
    reader.join(WAIT_SECONDS)
    assert not reader.is_alive()
    assert answers[-1] == 503
    for node in nodes:
        until(node, "degraded", "connection refused", "it closed the connection")
        assert_load_goes_on(node)
        assert_pages_say_so(node, visitor)
    postgres.start()
    assert_all_is_well_again(nodes, visitor)
    assert not any("Traceback" in line for node in nodes for line in node.output)


def test_a_statement_that_waits_for_a_lock_ends(nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres) -> None:
    visitor = logged_in(nodes)
    with postgres.session("people") as holder:
        holder("BEGIN; LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE;")
        status, seconds = timed(lambda: visitor.get(nodes[0], PAGE))
        assert status == 503
        assert seconds < SLOW_SECONDS
        until(nodes[0], "degraded")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name <> 'psql'"
        assert int(postgres.execute(waiting)) <= 2 * len(nodes)
        holder("ROLLBACK;")
    assert_all_is_well_again(nodes, visitor)


def test_a_node_that_started_without_its_database_migrates_it_when_it_is_there(
    nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres, tmp_path: Path
) -> None:
    with running_node(tmp_path, METADATA_CENTER_WEB_DATABASE=postgres.url("late")) as node:
        until(node, "degraded", "it has no such database or user")
        assert_load_goes_on(node)
        assert Visitor().log_in(node, NAME, SECRET) == 503
        postgres.execute("CREATE DATABASE late")
        until(node, "ok")
        # There is no such account here, and it can say so.
        assert patiently(lambda: Visitor().log_in(node, NAME, SECRET)) == 200
        assert postgres.execute("SELECT count(*) FROM auth_group", "late") == "2"
        # Somebody restores an empty database in its place.
        postgres.execute("DROP DATABASE late WITH (FORCE)")
        until(node, "degraded")
        postgres.execute("CREATE DATABASE late")
        until(node, "ok")
        assert patiently(lambda: Visitor().log_in(node, NAME, SECRET)) == 200
    postgres.execute("DROP DATABASE late")
    said = "".join(node.output)
    assert "Traceback" not in said
    assert PASSWORD not in said
    assert IN_URL not in said


@pytest.mark.slow
def test_a_node_with_another_key_is_named(
    nodes: tuple[NodeProcess, NodeProcess], postgres: Postgres, tmp_path: Path
) -> None:
    in_use = postgres.execute("SELECT in_use FROM metadata_center_sharedkey", "people")
    url = postgres.url("people")
    with running_node(tmp_path, METADATA_CENTER_WEB_DATABASE=url, METADATA_CENTER_WEB_SECRET_KEY="k" * 50):
        for node in nodes:
            assert "SecretKey" in until(node, "degraded")["detail"]
            # It works, on some nodes.
            assert patiently(lambda node=node: Visitor().log_in(node, NAME, SECRET)) == 302  # type: ignore[misc]
    postgres.execute(f"UPDATE metadata_center_sharedkey SET in_use = '{in_use}'", "people")

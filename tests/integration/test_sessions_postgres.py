# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a log-in has opened on two nodes that share a database: it ends with the log-in, wherever that was ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from tests.browsers import Visitor, patiently
from tests.nodes import ROOT, NodeProcess, running_node
from tests.postgres import Postgres, running_postgres, wait_for
from tests.sockets import closed_with, connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = "long enough and of no one"
SECONDS = 120.0
ENDED = 4401
WAIT = "/v1/load/stats?cluster=quiet&wait=60"


class Nodes:
    """Two nodes that require keys or a log-in, and their database."""

    def __init__(self, postgres: Postgres, nodes: tuple[NodeProcess, NodeProcess]) -> None:
        self.postgres = postgres
        self.both = nodes

    def log_in(self, name: str) -> Visitor:
        """Make an account that may look at things, and log in on the first node."""
        own = {"METADATA_CENTER_WEB_DATABASE": self.postgres.url("people"), "DJANGO_SUPERUSER_PASSWORD": SECRET}
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("METADATA_CENTER_")}
        words = ["createsuperuser", "--noinput", "--username", name, "--email", ""]
        script = [sys.executable, str(ROOT / "manage.py"), *words]
        subprocess.run(script, env=inherited | own, capture_output=True, check=True)
        for node in self.both:  # the test before may have taken it away
            wait_for(lambda node=node: is_well(node), SECONDS, lambda: "the node has its database")  # type: ignore[misc]
        visitor = Visitor()
        assert patiently(lambda: visitor.log_in(self.both[0], name, SECRET)) == 302, visitor.text
        return visitor

    def sql(self, statement: str) -> None:
        self.postgres.execute(statement, "people")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        postgres.execute("CREATE DATABASE people")
        settings = {"METADATA_CENTER_WEB_DATABASE": postgres.url("people"), "METADATA_CENTER_AUTH_REQUIRED": "true"}
        one, two = (stack.enter_context(running_node(tmp_path_factory.mktemp(name), **settings)) for name in "ab")
        for node in (one, two):
            wait_for(lambda node=node: is_well(node), SECONDS, lambda: "the node has its database")  # type: ignore[misc]
        yield Nodes(postgres, (one, two))


def cookie(visitor: Visitor) -> dict[str, str]:
    return {"Cookie": f"sessionid={visitor.cookies['sessionid']}"}


def opened(stack: ExitStack, node: NodeProcess, visitor: Visitor) -> ClientConnection:
    """A socket that has its first message."""
    url = f"ws://127.0.0.1:{node.port}/ws/load/quiet/"
    clients: list[ClientConnection] = []

    def open_one() -> int:
        try:
            clients.append(connect(url, additional_headers=cookie(visitor)))
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    assert patiently(open_one) == 101
    client = stack.enter_context(clients[0])
    assert msgspec.json.decode(client.recv(SECONDS))["type"] == "snapshot"
    return client


def is_well(node: NodeProcess) -> bool:
    """Whether the node has its database."""
    return any(part["name"] == "accounts" and part["state"] == "ok" for part in node.data("/readyz")["parts"])


def waiting(pool: ThreadPoolExecutor, node: NodeProcess, visitor: Visitor) -> Future[Any]:
    """The status of a call that waits, to come."""
    return pool.submit(lambda: patiently(lambda: node.call("GET", WAIT, headers=cookie(visitor))[0]))


def waits(node: NodeProcess, visitor: Visitor) -> bool:
    return b"metadata_center_load_waiting_calls 1.0" in node.call("GET", "/metrics", headers=cookie(visitor))[2]


def log_out(nodes: Nodes, visitor: Visitor) -> None:
    assert patiently(lambda: visitor.log_out(nodes.both[0])) == 200


def disable(nodes: Nodes, visitor: Visitor) -> None:
    nodes.sql("UPDATE auth_user SET is_active = false WHERE username <> 'other'")


def expire(nodes: Nodes, visitor: Visitor) -> None:
    key = visitor.cookies["sessionid"]
    nodes.sql(f"UPDATE django_session SET expire_date = now() - interval '1 second' WHERE session_key = '{key}'")


@pytest.mark.parametrize("end", [log_out, disable, expire], ids=lambda end: end.__name__)
def test_sockets_and_waiting_calls_of_both_nodes_end_with_the_log_in(
    nodes: Nodes, end: Callable[[Nodes, Visitor], None]
) -> None:
    visitor = nodes.log_in(f"to-{end.__name__}")
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        clients = [opened(stack, node, visitor) for node in nodes.both]
        calls = [waiting(pool, node, visitor) for node in nodes.both]
        for node in nodes.both:
            wait_for(lambda node=node: waits(node, visitor), SECONDS, lambda: "the call waits")  # type: ignore[misc]
        end(nodes, visitor)
        assert [closed_with(client) for client in clients] == [ENDED, ENDED]
        assert [call.result(SECONDS) for call in calls] == [401, 401]


def test_a_persons_call_waits_until_something_changes(nodes: Nodes) -> None:
    visitor = nodes.log_in("waiter")
    node = nodes.both[0]
    with ThreadPoolExecutor() as pool:
        call = waiting(pool, node, visitor)
        wait_for(lambda: waits(node, visitor), SECONDS, lambda: "the call waits")
        assert not call.done()
        add = {"cluster": "quiet", "request_id": "noise", "ip": "10.0.0.1"}
        token = {"X-CSRFToken": visitor.cookies["csrftoken"]}
        both = {"Cookie": f"{cookie(visitor)['Cookie']}; csrftoken={visitor.cookies['csrftoken']}"}
        assert patiently(lambda: node.call("POST", "/v1/load/stats", add, token | both)[0]) == 200
        assert call.result(SECONDS) == 200
    assert patiently(lambda: node.call("GET", WAIT, headers={"Cookie": "sessionid=unknown"})[0]) == 401


def test_while_the_database_is_away_sockets_stay_and_afterwards_they_end(nodes: Nodes) -> None:
    visitor = nodes.log_in("patient")
    with ExitStack() as stack:
        stack.callback(nodes.postgres.heal)
        clients = [opened(stack, node, visitor) for node in nodes.both]
        nodes.postgres.kill()
        for node in nodes.both:
            lines = node.output
            wait_for(
                lambda lines=lines: any("what they opened stays open" in line for line in lines),  # type: ignore[misc]
                SECONDS,
                lambda: "the node looked and could not",
            )
        for client in clients:
            while msgspec.json.decode(client.recv(SECONDS))["type"] != "alive":
                pass
        nodes.postgres.start()
        nodes.sql("DELETE FROM django_session")
        assert [closed_with(client) for client in clients] == [ENDED, ENDED]

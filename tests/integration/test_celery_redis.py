# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The embedded Celery with a broker outside: a real Redis on loopback, and Flower looking on."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from threading import Event, Semaphore
from urllib.request import urlopen

import pytest
from celery import Celery
from celery.signals import worker_ready
from kombu import Queue
from redis import Redis as Client

from runtime.config import Config, schema
from runtime.health import PartState
from runtime.periodic import EmbeddedCelery, PeriodicTask, build_app, supervisor
from tests.nodes import inherited_environment
from tests.ports import free_port

REDIS = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")

SECONDS = 60.0  # how long a test waits for what must happen
WELL = (PartState.OK, "")


def eventually(condition: Callable[[], object]) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        Event().wait(0.02)


class Redis:
    """A server on one port of loopback that can be killed and started again, empty."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS is not None
        self._process = subprocess.Popen(
            [REDIS, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def client(self) -> Client:
        """Another program that talks to the server."""
        return Client(port=self.port)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


class Node:
    """An app that runs one task, `tick`, and a semaphore that counts its runs."""

    def __init__(self, redis: Redis, name: str, every_seconds: float) -> None:
        self.redis = redis
        self.runs = Semaphore(0)
        self.app: Celery = build_app(Config(celery=schema.CelerySettings(broker=redis.url)), name)

        @self.app.task(name="tick", shared=False)
        def tick() -> None:
            self.runs.release()

        self.celery = EmbeddedCelery(self.app, [PeriodicTask("tick", "tick", every_seconds)])
        self.begun: list[object] = []
        worker_ready.connect(self._begins, weak=False, dispatch_uid=str(id(self)))

    def _begins(self, **_: object) -> None:
        self.begun.append(1)

    def see(self, runs: int) -> None:
        for _ in range(runs):
            assert self.runs.acquire(timeout=SECONDS), "it does not run"

    @property
    def starts(self) -> int:
        """How often the worker began to take messages."""
        return len(self.begun)

    def is_well(self) -> bool:
        return self.celery.worker_state() == WELL and self.celery.beat_state() == WELL

    def waiting(self) -> int:
        """Messages in the node's queue."""
        with self.app.connection_for_read() as connection:
            queue: Queue = self.app.amqp.queues[self.app.conf.task_default_queue]
            waiting: int = queue.bind(connection.channel()).queue_declare().message_count
            return waiting


@pytest.fixture
def make_node(redis: Redis) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make_node(name: str, every_seconds: float = 0.2) -> Node:
        nodes.append(Node(redis, name, every_seconds))
        return nodes[-1]

    yield make_node
    for node in nodes:
        node.celery.stop(SECONDS)
        node.app.close()


def test_a_node_takes_tasks_from_its_own_queue_only(redis: Redis, make_node: Callable[..., Node]) -> None:
    redis.start()
    one, other = make_node("one", 3600.0), make_node("other", 3600.0)
    other.app.send_task("tick")
    one.celery.start()
    one.app.send_task("tick")
    one.see(1)
    eventually(one.is_well)
    assert not one.runs.acquire(blocking=False)
    eventually(lambda: one.waiting() == 0)
    assert other.waiting() == 1

    began = time.monotonic()
    one.celery.stop(SECONDS)
    assert time.monotonic() - began < SECONDS / 2
    other.celery.start()
    other.see(1)
    assert not one.runs.acquire(blocking=False)


def test_a_broker_that_is_away_at_the_start_and_later_is_waited_for(
    redis: Redis, make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE_SECONDS", SECONDS)  # what is slow on a busy machine has not stalled
    node = make_node("patient")

    def beat_waits() -> bool:
        state, detail = node.celery.beat_state()
        return state is PartState.DEGRADED and detail.startswith("broker: ")

    node.celery.start()
    eventually(beat_waits)
    assert node.celery.worker_state() == (PartState.STARTING, "")

    redis.start()
    eventually(node.is_well)
    node.see(2)

    redis.kill()
    eventually(beat_waits)
    redis.start()
    node.see(node.celery.last_runs["tick"].runs + 2)
    eventually(node.is_well)


def test_it_stops_while_the_broker_is_away(redis: Redis, make_node: Callable[..., Node]) -> None:
    redis.start()
    node = make_node("leaving")
    node.celery.start()
    node.see(1)
    redis.kill()
    eventually(lambda: node.celery.beat_state()[0] is PartState.DEGRADED)
    began = time.monotonic()
    node.celery.stop(5.0)
    assert time.monotonic() - began < SECONDS
    # Celery may be in the middle of sending an event, which it tries until the broker is back.
    redis.start()
    eventually(lambda: node.celery.worker_state() == node.celery.beat_state() == (PartState.STOPPED, ""))


def test_flower_sees_the_worker_and_its_tasks(redis: Redis, make_node: Callable[..., Node], tmp_path: Path) -> None:
    redis.start()
    node = make_node("seen", 0.5)
    node.celery.start()
    port = free_port()
    with (tmp_path / "flower.log").open("wb") as log:
        flower = subprocess.Popen(
            f"{sys.executable} -m celery --broker {redis.url} flower --address=127.0.0.1 --port={port}".split(),
            cwd=tmp_path,
            env={**inherited_environment(covered=False), "FLOWER_UNAUTHENTICATED_API": "true"},
            stdout=log,
            stderr=log,
        )

    def ask(path: str) -> dict[str, dict[str, object]]:
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=SECONDS) as answer:
                found: dict[str, dict[str, object]] = json.load(answer)
                return found
        except (OSError, HTTPException):
            return {}

    try:
        # By remote control: what it is, and which queue it reads. Refreshing asks anew.
        # Each answer comes by itself: a worker may be known before its queues are.
        queues: list[dict[str, object]] = []

        def has_queues() -> bool:
            found = ask("workers?refresh=1").get("worker@metadata-center.seen", {}).get("active_queues")
            queues[:] = found if isinstance(found, list) else []
            return bool(queues)

        eventually(has_queues)
        assert [queue["name"] for queue in queues] == ["metadata-center.seen"]
        # By events: what it ran. The heartbeat sends none.
        tasks: list[dict[str, object]] = []

        def has_succeeded() -> bool:
            tasks[:] = ask("tasks").values()
            return any((task["state"], task["name"]) == ("SUCCESS", "tick") for task in tasks)

        eventually(has_succeeded)
        # Of a run that had begun before Flower listened it knows the end, and no name.
        assert {task["name"] for task in tasks} - {None} == {"tick"}
        assert {task["worker"] for task in tasks} == {"worker@metadata-center.seen"}
    finally:
        flower.terminate()
        try:
            flower.wait(SECONDS)
        except subprocess.TimeoutExpired:
            flower.kill()
            flower.wait()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gateways for tests: threads that report requests as the real client does, and know what the truth is.

Adds go to a node by a hash of the cluster, first tokens and ends to another. A call that fails is made again at the
next node. Each request belongs to one thread, so what it knows needs no lock.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from random import Random
from threading import Thread
from typing import NamedTuple
from zlib import crc32

import msgspec

from tests.clusters import Cluster, Live
from tests.nodes import CALL_SECONDS

IMPATIENT_SECONDS = 2.0


class Failure(NamedTuple):
    """A call that was not answered with 200: at which node, between when and when, why."""

    place: int
    began: float
    ended: float
    why: str


class Gateway:
    """One thread's worth of requests. Ids begin with `prefix`.

    `impatient`: the places whose nodes it does not wait for long, as a test has them stand still. With the others it
    has patience: what a busy machine is slow to answer is no failure.
    """

    def __init__(
        self, cluster: Cluster, prefix: str, seed: int, pause_seconds: float, impatient: Container[int]
    ) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self._random = Random(seed)
        self._pause = pause_seconds
        self._impatient = impatient
        self._connections: dict[int, HTTPConnection] = {}
        self._stopping = False
        self._avoided: dict[int, float] = {}  # places and until when
        self.truth: dict[str, Live] = {}
        self.answered: dict[str, list[tuple[int, float]]] = {}  # by request: place and time of each call answered
        self.failures: list[Failure] = []
        self.took: list[tuple[int, float]] = []  # place and seconds of each call answered
        self.calls = 0
        self.thread = Thread(target=self.run, name=f"gateway-{prefix}", daemon=True)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        random, size = self._random, len(self._cluster.nodes)
        number = 0
        while not self._stopping:
            if len(self.truth) < 30 or random.random() < 0.35:
                number += 1
                request_id = f"{self._prefix}-{number}"
                live = Live(f"c{random.randrange(6)}", f"10.0.0.{random.randrange(8)}", random.randrange(1000), 0)
                body = {"cluster": live.cluster, "ip": live.ip, "prompt_length": live.prompt_length}
                self._call(crc32(live.cluster.encode()) % size, "POST", "/v1/load/stats", request_id, body)
                self.truth[request_id] = live
            else:
                request_id = random.choice(list(self.truth))
                live = self.truth[request_id]
                if live.phase:
                    self._call(random.randrange(size), "DELETE", "/v1/load/stats", request_id)
                    del self.truth[request_id]
                else:
                    self._call(random.randrange(size), "DELETE", "/v1/load/prompt", request_id)
                    self.truth[request_id] = live._replace(phase=1)
            time.sleep(self._pause)  # the load's rate
        for connection in self._connections.values():
            connection.close()

    def _call(
        self, place: int, method: str, target: str, request_id: str, body: dict[str, object] | None = None
    ) -> None:
        encoded = msgspec.json.encode({"request_id": request_id, **(body or {})})
        size = len(self._cluster.nodes)
        for attempt in range(200):
            at = (place + attempt) % size
            began = time.monotonic()
            if not self._cluster.nodes[at].listed:
                continue
            if self._avoided.get(at, 0.0) > began and attempt % size != size - 1:
                continue
            try:
                closing = self._ask(at, method, target, encoded)
            except (OSError, HTTPException) as error:
                self.failures.append(Failure(at, began, time.monotonic(), f"{type(error).__name__}: {error}"))
                self._drop(at, 0.2)
                continue
            ended = time.monotonic()
            if closing:  # it is about to go: a balancer takes it out of its list
                self._drop(at, 4.0)
            self.calls += 1
            self.answered.setdefault(request_id, []).append((at, ended))
            self.took.append((at, ended - began))
            return
        raise AssertionError(f"no node took {method} {target}: {self.failures[-3:]}")

    def _drop(self, place: int, seconds: float) -> None:
        self._avoided[place] = time.monotonic() + seconds
        if (connection := self._connections.pop(place, None)) is not None:
            connection.close()

    def _ask(self, place: int, method: str, target: str, body: bytes) -> bool:
        """Returns whether the node wants no more of us."""
        node = self._cluster.nodes[place]
        connection = self._connections.get(place)
        if connection is None:
            seconds = IMPATIENT_SECONDS if place in self._impatient else CALL_SECONDS
            connection = self._connections[place] = HTTPConnection(node.address, node.port, timeout=seconds)
        connection.request(method, target, body)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise HTTPException(f"status {response.status}")
        return (response.getheader("Connection") or "").lower() == "close"


class Load:
    """Several gateways as one. Each looks at copies: the gateways' threads go on."""

    def __init__(self, gateways: list[Gateway]) -> None:
        self._gateways = gateways

    @property
    def truth(self) -> dict[str, Live]:
        return {request_id: live for each in self._gateways for request_id, live in dict(each.truth).items()}

    @property
    def failures(self) -> list[Failure]:
        return [failure for each in self._gateways for failure in list(each.failures)]

    @property
    def calls(self) -> int:
        return sum(each.calls for each in self._gateways)

    def calls_of_each(self) -> list[int]:
        """How many calls of each gateway were answered."""
        return [each.calls for each in self._gateways]

    def p99_seconds(self, places: Container[int]) -> float:
        """Of the answered calls to these nodes all but one in a hundred took less."""
        took = sorted(seconds for each in self._gateways for place, seconds in list(each.took) if place in places)
        return took[len(took) * 99 // 100]

    def answered_by(self, place: int, after: float, before: float) -> set[str]:
        """Requests of which a call was answered by this node in this time."""
        return {
            request_id
            for each in self._gateways
            for request_id, answers in dict(each.answered).items()
            if any(at == place and after <= when <= before for at, when in answers)
        }

    def stop(self) -> None:
        for each in self._gateways:
            each.stop()
        for each in self._gateways:
            each.thread.join(2 * CALL_SECONDS)
            assert not each.thread.is_alive(), "a gateway hangs"


@contextmanager
def load_on(
    cluster: Cluster,
    prefix: str,
    *,
    threads: int = 3,
    pause_seconds: float = 0.004,
    impatient: Container[int] = (),
) -> Iterator[Load]:
    """Load as long as the block runs, or until it stops it. At `impatient` places it waits for no answer for long."""
    gateways = [Gateway(cluster, f"{prefix}{number}", number, pause_seconds, impatient) for number in range(threads)]
    load = Load(gateways)
    for gateway in gateways:
        gateway.thread.start()
    try:
        yield load
    finally:
        load.stop()

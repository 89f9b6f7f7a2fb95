# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clients of a cluster of real nodes that never stop: they ignore `Connection: close`, pipeline, and call a node until
it hangs up. Each is a thread of its own.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from threading import Thread

import msgspec

from tests.clusters import Cluster, wait

ANSWER_SECONDS = 60.0  # a call that is not answered by then is a fault of its own: whether it counts can't be known


class Obstinate:
    """A client that calls random nodes and takes no hint.

    `truth`: the phase of each request that counts, by what was answered 200 and nothing else.
    `answers`: how many calls were answered with each status. 0: the node hung up, or did not listen.
    """

    def __init__(self, cluster: Cluster, name: str, seed: int) -> None:
        self._cluster = cluster
        self._name = name
        self._random = Random(seed)
        self._sockets: dict[int, socket.socket] = {}
        self._stopping = False
        self._added = 0
        self.truth: dict[str, int] = {}
        self.answers: Counter[int] = Counter()
        self.failure: BaseException | None = None
        self.thread = Thread(target=self._run, name=f"client-{name}", daemon=True)

    def stop(self) -> None:
        self._stopping = True

    def _run(self) -> None:
        try:
            while not self._stopping:
                place = self._random.randrange(len(self._cluster.nodes))
                calls = [self._choose() for _ in range(self._random.choice((1, 1, 1, 3)))]
                statuses = self._ask(place, [self._wire(*call) for call in calls])
                for (what, request_id), status in zip(calls, statuses, strict=True):
                    self.answers[status] += 1
                    if status == 200:
                        self._note(what, request_id)
                time.sleep(0.002)  # the load's rate
        except BaseException as error:
            self.failure = error
        for each in self._sockets.values():
            each.close()

    def _choose(self) -> tuple[str, str]:
        """A call: an add, or the next step of a request. Half of the requests are never ended: a later end would hide
        that an add was lost."""
        if self.truth and self._random.random() < 0.5:
            request_id = self._random.choice(list(self.truth)[-100:])
            if self.truth[request_id] == 0:
                return "prompt", request_id
            if not request_id.endswith("k"):
                return "stats", request_id
        self._added += 1
        return "add", f"{self._name}-{self._added}{'k' if self._added % 2 else ''}"

    def _note(self, what: str, request_id: str) -> None:
        if what == "add":
            self.truth[request_id] = 0
        elif what == "prompt":
            if request_id in self.truth:
                self.truth[request_id] = 1
        else:
            self.truth.pop(request_id, None)

    @staticmethod
    def _wire(what: str, request_id: str) -> bytes:
        if what == "add":
            body = msgspec.json.encode({"cluster": "c", "request_id": request_id, "ip": "10.0.0.1"})
            line = b"POST /v1/load/stats"
        else:
            body, line = msgspec.json.encode({"request_id": request_id}), b"DELETE /v1/load/" + what.encode()
        return b"%b HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b" % (line, len(body), body)

    def _ask(self, place: int, wires: Sequence[bytes]) -> list[int]:
        """The status of each of the calls, made at once. 0 for all that follow when the node hangs up."""
        statuses: list[int] = []
        node = self._cluster.nodes[place]
        try:
            connection = self._sockets.get(place)
            if connection is None:
                connection = socket.create_connection((node.address, node.port), ANSWER_SECONDS)
                self._sockets[place] = connection
            with suppress(ConnectionError):  # what was answered before the node hung up can still be read
                connection.sendall(b"".join(wires))
            data = b""
            while len(statuses) < len(wires):
                head, end, rest = data.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) if end else 0
                if end and len(rest) >= length:
                    statuses.append(int(head.split(b" ", 2)[1]))
                    data = rest[length:]
                    continue
                got = connection.recv(65536)
                if not got:
                    raise ConnectionResetError
                data += got
        except ConnectionError:
            if (gone := self._sockets.pop(place, None)) is not None:
                gone.close()
        return statuses + [0] * (len(wires) - len(statuses))


@contextmanager
def clients(cluster: Cluster, number: int) -> Iterator[list[Obstinate]]:
    """Clients at work."""
    found = [Obstinate(cluster, f"o{each}", each) for each in range(number)]
    for each in found:
        each.thread.start()
    try:
        yield found
    finally:
        for each in found:
            each.stop()
        for each in found:
            each.thread.join(2 * ANSWER_SECONDS)
            assert not each.thread.is_alive()


def wait_for_calls(busy: Sequence[Obstinate], number: int) -> None:
    """Wait until so many more calls were answered 200."""
    more = sum(each.answers[200] for each in busy) + number
    wait(lambda: sum(each.answers[200] for each in busy) > more, "load")


def truth_of(busy: Sequence[Obstinate]) -> dict[str, int]:
    """The phase of each request in flight, by what was answered 200."""
    assert [each.failure for each in busy] == [None] * len(busy)
    return {request_id: phase for each in busy for request_id, phase in each.truth.items()}


def held_by(cluster: Cluster) -> list[dict[str, int]]:
    """The same as each node holds it."""
    return [{name: live.phase for name, live in node.live("o").items()} for node in cluster.nodes]

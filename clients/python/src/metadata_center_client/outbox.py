# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Operations on their way to the nodes. Pure: the clock comes in.

Operations leave in the order in which they were put. Those that a node acknowledged are kept until it has answered
again a second later: a node that dies within that second may not have passed them on, so another one gets them too.
Nodes skip what they know: an operation that arrives twice counts once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

from metadata_center_client import calls
from metadata_center_client.calls import Call
from metadata_center_client.errors import CallRefused
from metadata_center_client.exchange import Reply, failure_of
from metadata_center_client.nodes import Node, Nodes
from metadata_center_client.rows import OperationResult

Operation = dict[str, Any]
Results = list[OperationResult]

CAPACITY = 100_000  # about 40 MB
BATCH = 2_000  # operations in one call; a node takes 10,000
SAFE_SECONDS = 1.0  # a node that lived so long has passed on what it acknowledged
REPEAT_SECONDS = 30.0  # what was acknowledged before is not repeated: nodes forget an ended request after 60
TOO_LARGE = 413
TOO_MANY = 429
UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)  # what msgspec raises


class Outbox:
    """Operations that wait, and those that may have to be repeated.

    `dropped`: operations given up because the outbox was full, the oldest first.
    `refused`: operations that a node refused.
    `last_refusal`: why it refused the last of those; empty if it refused none.

    `put` may be called by any thread; the rest by the one that delivers.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self.refused = 0
        self.last_refusal = ""
        self._waiting: deque[Operation] = deque()
        self._capacity = capacity
        self._recent: dict[str, deque[tuple[float, list[Operation]]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, operation: Operation) -> None:
        """Take an operation. The oldest one goes if there are too many."""
        self._waiting.append(operation)
        if len(self._waiting) > self._capacity:
            self._drop_oldest()

    def take(self, most: int = BATCH) -> list[Operation]:
        """Remove and return the next operations, `most` at the most."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def put_back(self, operations: Iterable[Operation]) -> None:
        """Take operations that could not be delivered; they leave first."""
        self._waiting.extendleft(reversed(list(operations)))
        while len(self._waiting) > self._capacity:
            self._drop_oldest()

    def acknowledged(self, node: Node, operations: list[Operation], now: float) -> None:
        """Note that a node took operations at `now`, and that it is alive."""
        recent = self._recent.setdefault(node.url, deque())
        while recent and recent[0][0] + SAFE_SECONDS < now:
            recent.popleft()
        if operations:
            recent.append((now, operations))

    def lost(self, node: Node, now: float) -> list[Operation]:
        """Return what a node acknowledged and may not have passed on, and forget it.

        What it acknowledged long ago is left out. The node may not have been asked since, while others took the ends of
        those requests and forgot them: a repeated start would count anew, and nothing would end it.
        """
        recent = self._recent.pop(node.url, ())
        return [each for at, operations in recent if at + REPEAT_SECONDS >= now for each in operations]

    def judge(self, results: Results) -> None:
        """Count the operations that a node refused."""
        for result in results:
            if result.code != 200:
                self.refuse(1, f"{result.message}: {result.reason}")

    def refuse(self, count: int, why: str) -> None:
        """Count operations that are given up because they are wrong."""
        self.refused += count
        self.last_refusal = why

    def _drop_oldest(self) -> None:
        self._waiting.popleft()
        self.dropped += 1


Delivery = Generator[tuple[Node, Call[Results]], Reply, bool]


def deliver(outbox: Outbox, nodes: Nodes, key: str, now: Callable[[], float], most: int = BATCH) -> Delivery:
    """Deliver the next operations to one of the nodes: `most` at the most, and fewer if that is too large for it.

    Yields a node and the call to make there, and is sent the reply. Returns whether the operations arrived. If not,
    they are back in the outbox, also where the generator is closed half-way.
    """
    operations = outbox.take(most)
    try:
        for node in nodes.order(key, now()):
            operations, call = _written(outbox, operations, key)
            reply = yield node, call
            try:
                results = None if failure_of(reply) else call.read(reply.status, reply.content)
            except CallRefused as refusal:
                nodes.answered(node)
                if refusal.status == TOO_MANY:
                    return False
                refused, operations = operations, []
                if refusal.status == TOO_LARGE and len(refused) > 1:
                    outbox.put_back(refused)
                    return (yield from deliver(outbox, nodes, key, now, len(refused) // 2))
                outbox.refuse(len(refused), str(refusal))
                return True
            except ValueError:
                results = None
            if results is None:
                nodes.failed(node, now())
                outbox.put_back(outbox.lost(node, now()) + operations)
                operations = outbox.take(most)
                continue
            nodes.answered(node)
            outbox.judge(results)
            outbox.acknowledged(node, operations, now())
            operations = []
            return True
        return False
    finally:
        outbox.put_back(operations)


def _written(outbox: Outbox, operations: list[Operation], key: str) -> tuple[list[Operation], Call[Results]]:
    """Return the operations that can be written as JSON, and the call that delivers them. The others are refused."""
    try:
        return operations, calls.batch(operations, key)
    except UNWRITABLE:
        sound = [each for each in operations if _is_sound(outbox, each)]
        return sound, calls.batch(sound, key)


def _is_sound(outbox: Outbox, operation: Operation) -> bool:
    try:
        calls.batch([operation])
    except UNWRITABLE as error:
        outbox.refuse(1, f"{operation.get('op')}: {error}")
        return False
    return True

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Operations on their way to the nodes. Pure: the time comes in.

Operations leave in the order in which they were put. Those that a node acknowledged are kept until it has answered
again a second later: a node that dies within that second may not have passed them on, so another one gets them too.
Nodes skip what they know: an operation that arrives twice counts once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
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
TOO_LARGE = 413
TOO_MANY = 429


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

    def lost(self, node: Node) -> list[Operation]:
        """Return what a node acknowledged and may not have passed on, and forget it."""
        return [each for _, operations in self._recent.pop(node.url, ()) for each in operations]

    def judge(self, results: Results) -> None:
        """Count the operations that a node refused."""
        for result in results:
            if result.code != 200:
                self.refused += 1
                self.last_refusal = f"{result.message}: {result.reason}"

    def _drop_oldest(self) -> None:
        self._waiting.popleft()
        self.dropped += 1


Delivery = Generator[tuple[Node, Call[Results], float], Reply, bool]


def deliver(outbox: Outbox, nodes: Nodes, key: str, now: float, most: int = BATCH) -> Delivery:
    """Deliver the next operations to one of the nodes: `most` at the most, and fewer if that is too large for it.

    Yields a node, the call to make there and the current time, and is sent the reply. Returns whether the operations
    arrived; if not, they are back in the outbox.
    """
    operations = outbox.take(most)
    for node in nodes.order(key, now):
        call = calls.batch(operations, key)
        reply = yield node, call, now
        if failure_of(reply):
            nodes.failed(node, now)
            outbox.put_back(outbox.lost(node) + operations)
            operations = outbox.take(most)
            continue
        try:
            results = call.read(reply.status, reply.content)
        except CallRefused as refusal:
            nodes.answered(node)
            if refusal.status == TOO_MANY:
                outbox.put_back(operations)
                return False
            if refusal.status == TOO_LARGE and len(operations) > 1:
                outbox.put_back(operations)
                return (yield from deliver(outbox, nodes, key, now, len(operations) // 2))
            outbox.refused += len(operations)
            outbox.last_refusal = str(refusal)
            return True
        except ValueError:
            nodes.failed(node, now)
            continue
        nodes.answered(node)
        outbox.judge(results)
        outbox.acknowledged(node, operations, now)
        return True
    outbox.put_back(operations)
    return False

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One call over several nodes, without I/O: says which node to ask, takes what came of it, returns the answer.

Both clients drive it, so that their rules are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

from metadata_center_client.calls import RETRYABLE, Call
from metadata_center_client.errors import CallRefused, NoNodeAnswered
from metadata_center_client.nodes import Node, Nodes

T = TypeVar("T")


class Reply(NamedTuple):
    """What came of asking a node: its HTTP status and body, or `failure`, why there was no answer."""

    status: int = 0
    content: bytes = b""
    failure: str = ""


Exchange = Generator[Node, Reply, tuple[T, Node]]


def exchange(nodes: Nodes, call: Call[T], tries: int, now: Callable[[], float]) -> Exchange[T]:
    """Make a call at up to `tries` nodes.

    Yields the node to ask next and is sent its reply. Returns the answer's data and the node that gave it.
    Raises CallRefused for an error that is the call's own, NoNodeAnswered once all tries have failed.
    """
    failures: dict[str, str] = {}
    for node in nodes.order(call.key, now())[:tries]:
        reply = yield node
        failures[node.url] = why = failure_of(reply)
        if why:
            nodes.failed(node, now())
            continue
        try:
            data = call.read(reply.status, reply.content)
        except CallRefused:
            nodes.answered(node)
            raise
        except ValueError as error:
            nodes.failed(node, now())
            failures[node.url] = str(error)
            continue
        nodes.answered(node)
        return data, node
    raise NoNodeAnswered(failures)


def failure_of(reply: Reply) -> str:
    """Return why another node should be asked; empty if this one answered."""
    if reply.failure:
        return reply.failure
    return f"HTTP status {reply.status}" if reply.status >= RETRYABLE else ""

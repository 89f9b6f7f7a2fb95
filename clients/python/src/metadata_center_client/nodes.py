# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node is asked next. Pure: the time comes in.

Used under the lock or on the loop of the client that owns it, and by a reporter's thread: one failure that is not
counted does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

FAILURES = 10  # in a row, then a node is left alone
REST_SECONDS = 5.0
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def fnv32a(text: str) -> int:
    """Return the 32-bit FNV-1a hash of a text's UTF-8 bytes, as the reference gateway computes it."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value


class Node:
    """One node.

    `url`: where it is, without a slash at the end.
    `failures`: how many calls failed since it last answered.
    `rests_until`: until when it is asked last, by the clock of the calls.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.failures = 0
        self.rests_until = float("-inf")


class Nodes:
    """The nodes, ordered for each call: by the hash of its key, those that fail last."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._nodes = [Node(url) for url in sorted({url.rstrip("/") for url in urls})]
        if not self._nodes:
            raise ValueError("nodes: expected at least one URL")

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def order(self, key: str, now: float) -> list[Node]:
        """Return all nodes in the order in which to ask them for `key`, a cluster's name as a rule."""
        first = fnv32a(key) % len(self._nodes)
        turned = self._nodes[first:] + self._nodes[:first]
        return sorted(turned, key=lambda node: node.rests_until > now)  # stable

    def answered(self, node: Node) -> None:
        """Note that a node answered."""
        node.failures = 0
        node.rests_until = float("-inf")

    def failed(self, node: Node, now: float) -> None:
        """Note that a node failed. After ten failures in a row it rests for five seconds."""
        node.failures += 1
        if node.failures >= FAILURES:
            node.rests_until = now + REST_SECONDS

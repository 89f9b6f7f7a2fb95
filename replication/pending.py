# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The peers that an entity is still to be pulled from. Pure; owned by the event loop.

A node that adopts a peer's watermarks never sees the events that they cover. What those did to the compared entities it
has pulled by then. What they said of any other entity is missing until that entity is pulled from the peer as well. The
peer may lack something itself at that moment, or keep none of it. Its answer says so. Then all other peers are asked
too, each once: what a node's own clients reported, at least that node holds.
"""

from __future__ import annotations

from collections.abc import Iterable


class PendingPulls:
    """Peers by name. False while none is pending: then this node holds all that its watermarks cover."""

    def __init__(self) -> None:
        self._peers: dict[str, bool] = {}  # whether the others are asked too if this one's answer is not whole
        self._asked: dict[str, bool] = {}  # the same of those that are being pulled from

    def __bool__(self) -> bool:
        return bool(self._peers or self._asked)

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def add(self, peer: str) -> None:
        """Note that all a peer had seen was adopted."""
        self._peers[peer] = True

    def begin(self, peer: str) -> None:
        """Note that a pull from a peer begins."""
        self._asked[peer] = self._peers.pop(peer, False)

    def failed(self, peer: str) -> None:
        """Note that a pull was not finished. It is pending again."""
        self._peers[peer] = self._asked.pop(peer) or self._peers.get(peer, False)

    def pulled(self, peer: str, others: Iterable[str], *, whole: bool) -> None:
        """Note that all a peer holds is in.

        `whole` says that the peer lacked nothing. The others are the peers that can stand in for it; it may be among
        them.
        """
        if self._asked.pop(peer) and not whole:
            for other in others:
                if other != peer:
                    self._peers.setdefault(other, False)

    def gone(self, peer: str, others: Iterable[str]) -> None:
        """Note that a peer has left. The others may hold what was to be pulled from it."""
        if peer in self._peers:
            self.begin(peer)
            self.pulled(peer, others, whole=False)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The peers whose index of caches is still to be pulled. Pure; owned by the event loop.

A node that adopts a peer's watermarks never sees the events that they cover. What those did to the ledger it has pulled
by then; what they said of caches it owes itself until the peer's index is in as well. The peer may owe itself something
at that moment, or keep no index. Its answer says so, and all others are asked too, each once: what a node's clients
told of caches, at least that node holds.
"""

from __future__ import annotations

from collections.abc import Iterable


class Owed:
    """Peers by name. False while nothing is owed: then the index here holds all that the watermarks cover."""

    def __init__(self) -> None:
        self._peers: dict[str, bool] = {}  # whether the others are asked too where this one's index is not whole
        self._asked: dict[str, bool] = {}  # the same of those that are being pulled from

    def __bool__(self) -> bool:
        return bool(self._peers or self._asked)

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def add(self, peer: str) -> None:
        """All that a peer had seen was adopted."""
        self._peers[peer] = True

    def begin(self, peer: str) -> None:
        """A peer's index is about to be pulled."""
        self._asked[peer] = self._peers.pop(peer, False)

    def failed(self, peer: str) -> None:
        """The pull was not finished: it is to be begun anew."""
        self._peers[peer] = self._asked.pop(peer) or self._peers.get(peer, False)

    def pulled(self, peer: str, others: Iterable[str], *, whole: bool) -> None:
        """All that the peer holds is in; `whole`: and it owed itself nothing. The others are those that can stand in
        for it, itself among them or not."""
        if self._asked.pop(peer) and not whole:
            for other in others:
                if other != peer:
                    self._peers.setdefault(other, False)

    def gone(self, peer: str, others: Iterable[str]) -> None:
        """A peer is none any more: what was owed by it, the others may have."""
        if peer in self._peers:
            self.begin(peer)
            self.pulled(peer, others, whole=False)

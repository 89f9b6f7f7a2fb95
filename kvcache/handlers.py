# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls: decode, call the index, answer. Thread-safe; the event loop calls them for gateways, Django's
threads for people."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns
from typing import Protocol

from msgspec.json import encode

from edge.body import MAX_HASH, Addresses, Body
from edge.call import NULL, Call, Route
from edge.errors import InvalidInput
from kvcache.index import CacheIndex
from kvcache.stamps import Stamps
from kvcache.wire import TOPK, CacheDrop, CacheLocation, CacheLocations, CacheQuery, CacheSave

SAVE = "/v1/cache/save"
QUERY = "/v1/cache/query"
CACHE = "/v1/cache"


class CacheEventSink(Protocol):
    """Takes what clients reported, once it has taken effect here. `now` is when. Stamps order saves and drops on every
    node, so that they may be passed on in any order."""

    def saved(self, cluster: str, ip: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        """Take that an engine holds a prompt."""
        ...

    def dropped(self, cluster: str, ip: str | None, stamp: int, now: float) -> None:
        """Take that an engine, or with None every engine of a cluster, has lost its cache."""
        ...


class CacheHandlers:
    """Handlers over one index. Without one nothing is kept and nothing found. Calls are answered 200 even then: a
    gateway takes anything else for a failure of the node. `now` is monotonic seconds.

    `journal`: takes what clients reported; None in a node that is alone.
    `stamps`: this node's stamps.
    `topk`: how many engines a query is answered with, if it does not say.
    """

    journal: CacheEventSink | None = None

    def __init__(
        self,
        index: CacheIndex | None,
        *,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
        topk: int = TOPK,
    ) -> None:
        self._index = index
        self._topk = topk
        self._now = now
        self.stamps = Stamps(wall_ns)
        self._read_save = Body(CacheSave).read
        self._read_query = Body(CacheQuery).read
        self._read_drop = Body(CacheDrop).read
        self._check_address = Addresses().check

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("POST", SAVE, self.save),
            Route("POST", QUERY, self.query),
            Route("DELETE", CACHE, self.drop),
        )

    def save(self, call: Call) -> bytes:
        """`POST /v1/cache/save`: an engine has a prompt in its cache.

        To be sent when the prompt's request was sent to the engine. May be repeated, and again counts as the prompt's
        last use. Members that are not named here are ignored.
        """
        body = self._read_save(call.body)
        self._check_address(body.ip)
        self.keep(body.cluster, body.ip, _checked(body.prompt_hash))
        return NULL

    def keep(self, cluster: str, ip: str, hashes: tuple[int, ...]) -> None:
        """Keep what `save` was sent."""
        if self._index is not None and hashes:
            now, stamp = self._now(), self.stamps.next()
            self._index.save(cluster, ip, hashes, now, stamp)
            if self.journal is not None:
                self.journal.saved(cluster, ip, hashes, stamp, now)

    def query(self, call: Call) -> bytes:
        """`POST /v1/cache/query`: which engines have the beginning of a prompt in their cache, and how much of it.

        An engine that lacks a block counts up to that one only, and one that lacks the first is left out. The longest
        come first, of equal ones the lower address, as text.
        """
        body = self._read_query(call.body)
        hashes = _checked(body.prompt_hash)
        if self._index is None or not hashes:
            return NOWHERE
        found = self._index.query(body.cluster, hashes, body.topk or self._topk)
        return encode(CacheLocations([CacheLocation(ip, length) for ip, length in found]))

    def drop(self, call: Call) -> bytes:
        """`DELETE /v1/cache`: an engine has lost its cache, as after a restart; without `ip`, every engine of the
        cluster.

        What was saved before is gone; what is saved after stands. An unknown engine is answered 200 too. Members that
        are not named here are ignored.
        """
        body = self._read_drop(call.body)
        if body.ip is not None:
            self._check_address(body.ip)
        if self._index is not None:
            now, stamp = self._now(), self.stamps.next()
            self._index.drop(body.cluster, body.ip, stamp, now)
            if self.journal is not None:
                self.journal.dropped(body.cluster, body.ip, stamp, now)
        return NULL

    def engine_gone(self, cluster: str, ip: str) -> None:
        """The load ledger dropped an engine, or let it expire: its cache is lost. Takes 2 µs. Every node's ledger comes
        to that by itself, so it is not journalled."""
        if self._index is not None:
            self._index.drop(cluster, ip, self.stamps.next(), self._now())


NOWHERE = b'{"locations":[]}'


def _checked(hashes: tuple[int, ...] | None) -> tuple[int, ...]:
    """The hashes, none for null. Raises InvalidInput where one has more than 64 bits."""
    if not hashes:
        return ()
    if max(hashes) > MAX_HASH:  # 3 µs of 256
        raise InvalidInput(f"prompt_hash: expected integers from 0 to {MAX_HASH}")
    return hashes

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls: decode, call the index, answer. Thread-safe; the event loop calls them for gateways, Django's
threads for people."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time_ns
from typing import Protocol

from msgspec import UNSET
from msgspec.json import encode

from edge.addresses import Addresses
from edge.body import MAX_HASH, Body
from edge.call import NULL, Call, Route
from edge.caller import Scope
from edge.client import client_of
from edge.engine_name import EngineName
from edge.errors import InvalidInput
from edge.reach import check_cluster
from kvcache.index import CacheIndex
from kvcache.stamps import Stamps
from kvcache.wire import TOP_K, TOPK, CacheDrop, CacheLocation, CacheLocations, CacheQuery, CacheSave

SAVE = "/v1/cache/save"
QUERY = "/v1/cache/query"
CACHE = "/v1/cache"


class CacheEventSink(Protocol):
    """Takes what clients reported, once it has taken effect here.

    Engines are called by their full names. `now` is when. Stamps order saves and drops on every node, so that they may
    be passed on in any order.
    """

    def saved(self, cluster: str, engine: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        """Take that an engine holds a prompt."""
        ...

    def dropped(self, cluster: str, engine: str | None, stamp: int, now: float) -> None:
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
        self._top_k = TOP_K if topk == TOPK else topk  # what is configured is meant for both spellings
        self._now = now
        self.stamps = Stamps(wall_ns)
        self._read_save = Body(CacheSave).read
        self._read_query = Body(CacheQuery).read
        self._read_drop = Body(CacheDrop).read
        self._canonical = Addresses().canonical

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("POST", SAVE, self.save, scope=Scope.WRITE),
            Route("POST", QUERY, self.query, scope=Scope.READ),
            Route("DELETE", CACHE, self.drop, scope=Scope.OPERATE),
        )

    def save(self, call: Call) -> bytes:
        """`POST /v1/cache/save`: an engine has a prompt in its cache.

        To be sent when the prompt's request was sent to the engine. May be repeated, and again counts as the prompt's
        last use. An engine that shares its address is named with `port` and `dp_rank`, as in its requests. Members that
        are not named here are ignored.
        """
        body = self._read_save(call.body)
        if call.caller is not None:
            check_cluster(call.caller, body.cluster)
        engine = str(EngineName(self._address(body), body.port, body.dp_rank))
        self.keep(body.cluster, engine, _checked(body.prompt_hash), client_of(call))
        return NULL

    def keep(self, cluster: str, engine: str, hashes: tuple[int, ...], client: str = "") -> None:
        """Keep what `save` was sent by a client, by the engine's name."""
        if self._index is not None and hashes:
            now, stamp = self._now(), self.stamps.next()
            self._index.save(cluster, engine, hashes, now, stamp, client=client)
            if self.journal is not None:
                self.journal.saved(cluster, engine, hashes, stamp, now)

    def query(self, call: Call) -> bytes:
        """`POST /v1/cache/query`: which engines have the beginning of a prompt in their cache, and how much of it.

        An engine that lacks a block counts up to that one only, and one that lacks the first is left out. The longest
        come first, of equal ones the lower name, as text. What was saved by `ip` alone is answered by `ip` alone: it is
        true of each engine at that address that is not listed by itself.
        """
        body = self._read_query(call.body)
        if call.caller is not None:
            check_cluster(call.caller, body.cluster)
        hashes, most = _checked(body.prompt_hash), self._most(body)
        if self._index is None or not hashes:
            return NOWHERE
        found = self._index.query(body.cluster, hashes, most)
        return encode(CacheLocations([_location(name, length) for name, length in found]))

    def drop(self, call: Call) -> bytes:
        """`DELETE /v1/cache`: an engine has lost its cache, as after a restart; without `ip`, every engine of the
        cluster.

        What was saved before is gone; what is saved after stands. `ip` alone is the engine without port and rank; with
        `all`, every engine at that address. An unknown engine is answered 200 too. Members that are not named here are
        ignored.
        """
        body = self._read_drop(call.body)
        if call.caller is not None:
            check_cluster(call.caller, body.cluster)
        named = body.port is not None or body.dp_rank is not None
        if body.ip is None:
            if named or body.all:
                raise InvalidInput("ip: expected an IPv4 or IPv6 address beside port, dp_rank or all")
            self.forget(body.cluster, None)
        elif body.all:
            if named:
                raise InvalidInput("all: expected ip alone beside it, got port or dp_rank too")
            self.forget_all(body.cluster, self._canonical(body.ip))
        else:
            self.forget(body.cluster, str(EngineName(self._canonical(body.ip), body.port, body.dp_rank)))
        return NULL

    def forget(self, cluster: str, engine: str | None) -> bool:
        """Take that an engine, by its name, or with None every engine of the cluster has lost its cache now.

        The drop is stamped here and journalled, so that it is the same on every node. Returns whether this node knew of
        anything in the cache.
        """
        if self._index is None:
            return False
        now, stamp = self._now(), self.stamps.next()
        known = self._index.drop(cluster, engine, stamp, now)
        if self.journal is not None:
            self.journal.dropped(cluster, engine, stamp, now)
        return known

    def forget_all(self, cluster: str, address: str) -> bool:
        """Take the same of every engine at an address that this node knows, and of the address itself."""
        known = [self.forget(cluster, name) for name in dict.fromkeys([address, *self.names_at(cluster, address)])]
        return any(known)

    def names_at(self, cluster: str, address: str) -> list[str]:
        """Return the names of the engines at an address of whose caches this node knows something."""
        return [] if self._index is None else self._index.at_address(cluster, address)

    def _address(self, body: CacheSave) -> str:
        """Return the engine's address in its one form. Raises InvalidInput."""
        node = None if body.location is None else self._canonical(body.location.node)
        if body.ip is None:
            if node is None:
                raise InvalidInput("ip: expected an IPv4 or IPv6 address, here or in location.node")
            return node
        ip = self._canonical(body.ip)
        if node is not None and node != ip:
            raise InvalidInput(f"location.node: expected the engine of ip, {ip}, got {node}")
        return ip

    def _most(self, body: CacheQuery) -> int:
        """Return how many engines a query wants. Raises InvalidInput."""
        if body.topk and body.top_k and body.topk != body.top_k:
            raise InvalidInput(f"top_k: expected the same as topk, {body.topk}, got {body.top_k}")
        return body.topk or body.top_k or (self._topk if body.top_k is None else self._top_k)


NOWHERE = b'{"locations":[]}'


def _location(name: str, length: int) -> CacheLocation:
    parts = EngineName.of(name)
    return CacheLocation(
        parts.ip,
        length,
        UNSET if parts.port is None else parts.port,
        UNSET if parts.dp_rank is None else parts.dp_rank,
    )


def _checked(hashes: tuple[int, ...] | None) -> tuple[int, ...]:
    """The hashes, none for null. Raises InvalidInput where one has more than 64 bits."""
    if not hashes:
        return ()
    if max(hashes) > MAX_HASH:  # 3 µs of 256
        raise InvalidInput(f"prompt_hash: expected integers from 0 to {MAX_HASH}")
    return hashes

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the screen shows, and how it is read from the nodes. Belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

from msgspec import Struct

from metadata_center_client.async_client import AsyncClient
from metadata_center_client.errors import CallRefused, NoNodeAnswered
from metadata_center_client.rows import ClusterLoad, EngineLoad, Gateway, GatewayPage, LoadHistory, PeerLag, Standing

PAGE = 1_000  # clusters in one call
MOST = 10_000  # clusters that are shown
TIMEOUT_SECONDS = 2.0
TREND_SECONDS = 10.0  # between two steps of the history
LOOK_SECONDS = 10.0  # until nodes that are away are asked again
NOT_FOUND = 404  # of what has gone meanwhile
NO_CONNECTION = "All connection attempts failed"  # httpx's words for it
T = TypeVar("T")
Trend = list[float | None]


class Picture(Struct, frozen=True):
    """The load at one moment, from one node.

    `node`: the URL of the node.
    `standing`: how the node itself is among its peers.
    `cluster`: the cluster whose engines and gateways are shown; empty: all clusters.
    `trend`: requests in flight in the last 15 minutes; None where unknown.
    `refused`: why a part could not be read, by its name: "clusters", "engines", "gateways" or "peers".
    `read_at`: when, by the clock `monotonic`.
    """

    node: str
    cluster: str = ""
    clusters: list[ClusterLoad] = []
    engines: list[EngineLoad] = []
    gateways: list[Gateway] = []
    peers: list[PeerLag] = []
    standing: Standing = Standing("")
    trend: Trend = []
    refused: dict[str, str] = {}
    read_at: float = 0.0


class NoPicture(Exception):
    """No node gave one. `failures`: the reason by node."""

    def __init__(self, failures: dict[str, str]) -> None:
        super().__init__("; ".join(f"{node} is away: {why}" for node, why in failures.items()))
        self.failures = failures


class PictureReader:
    """Reads pictures from the first node that answers, and stays with it.

    `away`: why each node that did not answer when it was last asked did not.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        connect: Callable[..., AsyncClient] = AsyncClient,
    ) -> None:
        self._clients = {
            url: connect([url], key=key, timeout_seconds=timeout_seconds, tries=1) for url in dict.fromkeys(urls)
        }
        if not self._clients:
            raise ValueError("urls: expected at least one")
        self._order: list[str] = list(self._clients)
        self._trend: tuple[str, float, Trend] = ("", float("-inf"), [])
        self.away: dict[str, str] = {}
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
        for client in self._clients.values():
            await client.close()

    async def read(self, cluster: str = "") -> Picture:
        """Return a new picture. Raises NoPicture if no node answers."""
        failures: dict[str, str] = {}
        for url in list(self._order):
            try:
                picture = await self._read_from(url, cluster)
            except NoNodeAnswered as error:
                failures[url] = self.away[url] = reason_of(error)
                continue
            self.away.pop(url, None)
            self._look_again()
            self._order.remove(url)
            self._order.insert(0, url)
            return picture
        raise NoPicture(failures)

    def _look_again(self) -> None:
        """Ask the nodes that are away whether they are back, every ten seconds, and beside what is read."""
        now = monotonic()
        if self.away and now - self._looked_at >= LOOK_SECONDS and (self._looking is None or self._looking.done()):
            self._looked_at = now
            self._looking = asyncio.create_task(self._look(list(self.away)))

    async def _look(self, urls: list[str]) -> None:
        for url in urls:
            try:
                await self._clients[url].alive()
            except NoNodeAnswered as error:
                if url in self.away:
                    self.away[url] = reason_of(error)
            except CallRefused:
                self.away.pop(url, None)
            else:
                self.away.pop(url, None)

    async def _read_from(self, url: str, cluster: str) -> Picture:
        client, refused = self._clients[url], Refusals()
        page, standing, clusters, engines, trend = await asyncio.gather(
            refused.unless("gateways", client.owners(cluster=cluster or None, limit=PAGE), GatewayPage()),
            refused.unless("peers", client.peers(), Standing("")),
            refused.unless("clusters", _all_clusters(client) if not cluster else _nothing(ClusterLoad), []),
            refused.unless("engines", client.load(cluster) if cluster else _nothing(EngineLoad), []),
            self._trend_of(client, cluster, refused),
        )
        return Picture(
            node=url,
            cluster=cluster,
            clusters=clusters,
            engines=engines,
            gateways=page.owners,
            peers=standing.peers,
            standing=standing,
            trend=trend,
            refused=refused.reasons,
            read_at=monotonic(),
        )

    async def _trend_of(self, client: AsyncClient, cluster: str, refused: Refusals) -> Trend:
        about, read_at, trend = self._trend
        if about != cluster or monotonic() - read_at >= TREND_SECONDS:
            history = await refused.unless("history", client.history(cluster or None, range="15m"), LoadHistory())
            trend = history.series.get("queued_req_num", [])
            self._trend = (cluster, monotonic(), trend)
        return trend


def reason_of(error: NoNodeAnswered) -> str:
    """Return why a node did not answer, in words."""
    reason = next(iter(error.failures.values()), str(error))
    if reason.endswith("Timeout"):
        return "no answer in time"
    return "no connection" if reason == NO_CONNECTION else reason


class Refusals:
    """The parts of a picture that a node refused. `reasons`: by the part's name."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    async def unless(self, part: str, reading: Awaitable[T], empty: T) -> T:
        """Return what is read; `empty` if the node refuses it."""
        try:
            return await reading
        except CallRefused as error:
            if error.status != NOT_FOUND:
                self.reasons[part] = str(error)
            return empty


async def _nothing(kind: type[T]) -> list[T]:
    return []


async def _all_clusters(client: AsyncClient) -> list[ClusterLoad]:
    found: list[ClusterLoad] = []
    while len(found) < MOST:
        page = await client.clusters(after=found[-1].cluster if found else "", limit=PAGE)
        found += page
        if len(page) < PAGE:
            break
    return found

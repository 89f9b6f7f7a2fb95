# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio. Belongs to one event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

import httpx

from metadata_center_client import calls
from metadata_center_client.calls import Call
from metadata_center_client.client import FAILURES, TIMEOUT_SECONDS, TRIES, headers_of
from metadata_center_client.exchange import Reply, exchange
from metadata_center_client.nodes import Node, Nodes
from metadata_center_client.rows import (
    CachedPrefixes,
    ClientRow,
    ClusterLoad,
    Dropped,
    EngineLoad,
    GatewayPage,
    LoadHistory,
    NodeEvents,
    OperationResult,
    OwnerEnded,
    PickedEngine,
    Readiness,
    Refreshed,
    RequestState,
    Standing,
    Versions,
)

T = TypeVar("T")


class AsyncClient:
    """Calls to a group of nodes.

    `urls`: the nodes, such as "http://10.0.0.7:8080".
    `key`: the access key, if the nodes ask for one.
    `timeout_seconds`: how long one node may take to answer, and before that to take a new connection.
    `tries`: how many nodes are asked before a call fails.
    `http`: an httpx client of your own, for TLS settings or proxies.

    Each method raises CallRefused for an error that is the call's own, and NoNodeAnswered if no node could be asked.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.nodes = Nodes(urls)
        self._timeout = timeout_seconds
        self._tries = tries
        self._headers = headers_of(key)
        self._http = http or httpx.AsyncClient(trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, node: Node, call: Call[T]) -> Reply:
        """Ask one node. A failure is in the reply. Raises RuntimeError once the client is closed."""
        timeout = httpx.Timeout(self._timeout, read=self._timeout + call.extra_seconds)
        try:
            answer = await self._http.request(
                call.method, node.url + call.target, content=call.body, headers=self._headers, timeout=timeout
            )
        except FAILURES as error:
            return Reply(failure=str(error) or type(error).__name__)
        return Reply(answer.status_code, answer.content)

    async def make(self, call: Call[T], *, tries: int | None = None) -> T:
        """Make a call and return its answer's data. `tries`: how many nodes are asked, if not as many as usual."""
        return (await self.make_at(call, tries=tries))[0]

    async def make_at(self, call: Call[T], *, tries: int | None = None) -> tuple[T, Node]:
        """Make a call. Returns its answer's data and the node that gave it."""
        steps = exchange(self.nodes, call, self._tries if tries is None else tries, monotonic)
        node = next(steps)
        while True:
            reply = await self.ask(node, call)
            try:
                node = steps.send(reply)
            except StopIteration as answered:
                data: tuple[T, Node] = answered.value
                return data

    async def load(self, cluster: str, *, wait_seconds: float | None = None) -> list[EngineLoad]:
        """Return the load of a cluster's engines; with `wait_seconds`, once it changes or that time is over."""
        return await self.make(calls.load(cluster, wait_seconds))

    async def clusters(self, *, after: str = "", limit: int | None = None) -> list[ClusterLoad]:
        """Return the load of up to `limit` clusters whose names follow `after`, by name."""
        return await self.make(calls.clusters(after, limit))

    async def request(self, request_id: str) -> RequestState:
        """Return what a node knows of a request. Raises CallRefused with status 404 if it knows nothing."""
        return await self.make(calls.request(request_id))

    async def pick(self, cluster: str, request_id: str, **members: object) -> PickedEngine:
        """Choose an engine and count the request on it. `members`: those of `POST /v1/load/pick`."""
        return await self.make(calls.pick(cluster, request_id, members))

    async def start(self, cluster: str, request_id: str, ip: str, **members: object) -> None:
        """Report that a request was sent to an engine. `members`: those of `POST /v1/load/stats`."""
        await self.make(calls.start(cluster, request_id, ip, members))

    async def first_token(self, request_id: str, *, attempt: int | None = None, cluster: str = "") -> None:
        """Report a request's first token. `cluster` chooses the node."""
        await self.make(calls.first_token(request_id, attempt, cluster))

    async def tokens(
        self,
        request_id: str,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        attempt: int | None = None,
        cluster: str = "",
    ) -> None:
        """Report how many tokens a request holds, in all so far."""
        await self.make(calls.tokens(request_id, input_tokens, output_tokens, attempt, cluster))

    async def end(
        self, request_id: str, *, attempt: int | None = None, cluster: str = "", outcome: str | None = None
    ) -> None:
        """Report that a request has ended. `outcome` is "error" if the engine failed; `cluster` chooses the node."""
        await self.make(calls.end(request_id, attempt, cluster, outcome))

    async def refresh(self, request_ids: Sequence[str]) -> Refreshed:
        """Report that requests are still running. Returns those that the node does not know."""
        return await self.make(calls.refresh(request_ids))

    async def heartbeat(self, owner: str, ttl_seconds: int = 10, *, incarnation: str | None = None) -> None:
        """Send a gateway's heartbeat; it holds for `ttl_seconds`."""
        await self.make(calls.heartbeat(owner, ttl_seconds, incarnation))

    async def batch(self, operations: Sequence[Mapping[str, object]], *, key: str = "") -> list[OperationResult]:
        """Make up to 10,000 calls in one. `key` chooses the node."""
        return await self.make(calls.batch(operations, key))

    async def drop_engine(self, cluster: str, ip: str, **members: object) -> Dropped:
        """Drop an engine that was restarted or is gone; its requests end."""
        return await self.make(calls.drop_engine(cluster, ip, members))

    async def save_prompt(self, cluster: str, ip: str, prompt_hash: Sequence[int], **members: object) -> None:
        """Report that an engine has a prompt cached."""
        await self.make(calls.save_prompt(cluster, ip, prompt_hash, members))

    async def find_prompt(
        self, cluster: str, prompt_hash: Sequence[int], *, top_k: int | None = None
    ) -> CachedPrefixes:
        """Return the engines that have the beginning of a prompt cached, the longest prefix first."""
        return await self.make(calls.find_prompt(cluster, prompt_hash, top_k))

    async def drop_cache(self, cluster: str, ip: str | None = None, **members: object) -> None:
        """Report that an engine, or without `ip` every engine of the cluster, lost its cache."""
        await self.make(calls.drop_cache(cluster, ip, members))

    async def owners(self, **members: object) -> GatewayPage:
        """Return gateways, and what each has in flight. `members`: those of `GET /v1/load/owners`."""
        return await self.make(calls.owners(members))

    async def end_owner(self, owner: str, **members: object) -> OwnerEnded:
        """End all requests of a gateway. `members`: those of `DELETE /v1/load/owner`."""
        return await self.make(calls.end_owner(owner, members))

    async def history(self, cluster: str | None = None, **members: object) -> LoadHistory:
        """Return what the load was, of a cluster or of all. `members`: those of `GET /v1/load/history`."""
        return await self.make(calls.history(cluster, members))

    async def events(self, **members: object) -> NodeEvents:
        """Return what happened on the nodes, the newest first. `members`: those of `GET /v1/events`."""
        return await self.make(calls.events(members))

    async def peers(self) -> Standing:
        """Return how a node and its peers are. Use a client of that node alone, as for the calls below."""
        return await self.make(calls.peers())

    async def clients(self) -> list[ClientRow]:
        """Return the clients that take most of a node."""
        return await self.make(calls.clients())

    async def ready(self) -> Readiness:
        """Return how a node is. Raises NoNodeAnswered if it should not be sent requests."""
        return await self.make(calls.ready())

    async def alive(self) -> str:
        """Return "alive" if a node lives."""
        return await self.make(calls.alive())

    async def version(self) -> Versions:
        """Return the versions of a node."""
        return await self.make(calls.version())

    async def log_level(self, level: str) -> str:
        """Set how much a node's log holds: TRACE, DEBUG, INFO, WARN, ERROR or FATAL."""
        return await self.make(calls.log_level(level))

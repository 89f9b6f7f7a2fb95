# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One gateway's client: the four calls as the real gateway sends them, to the node it would choose. Owned by the
replay's loop.

As the contract says: JSON without a Content-Type header, HTTP/1.1 kept alive, a `TraceId` header, and the members
`cluster` and `ip` in the bodies of deletes. Any answer but status 200 with the envelope's `OK` is a failure; a call
that failed is made once more, to the next node, where there is one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from .credentials import ReplayCredentials
from .engines import ReplayEngine
from .measures import Measures, ReplayCall, TargetMeasures
from .route import Breaker, node_of

TIMEOUT_SECONDS = 1.0
# Calls, and so connections, of one gateway at a time; more wait their turn in the client, which shows as late starts.
# With 128, eight gateways that ended 800 requests at once overran a listen queue of 100, and 380 calls timed out; with
# 32 up to 133 did, with 16 none.
CALLS_AT_ONCE = 16


NO_CREDENTIALS = ReplayCredentials()


class CallFailed(Exception):
    """A call failed: no answer, or a status other than 2xx. Whether the node carried it out is unknown."""


class _Ack(Struct):
    status: str


class _Loads(Struct):
    status: str
    data: list[ReplayEngine] | None = None


class _Call(Struct, frozen=True):
    operation: ReplayCall
    method: str
    path: str
    trace_id: str
    params: dict[str, str] | None = None
    data: bytes | None = None


Answer = TypeVar("Answer", _Ack, _Loads)

_encode = msgspec.json.Encoder().encode
_decode_ack = msgspec.json.Decoder(_Ack).decode
_decode_loads = msgspec.json.Decoder(_Loads).decode


def connect(target: str, credentials: ReplayCredentials = NO_CREDENTIALS) -> aiohttp.ClientSession:
    """Return a session of one gateway with one node. The caller closes it. Raises CredentialsFault."""
    return aiohttp.ClientSession(
        target,
        connector=aiohttp.TCPConnector(
            limit=CALLS_AT_ONCE,
            keepalive_timeout=60.0,
            ssl=credentials.context if target.startswith("https:") else True,
        ),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        skip_auto_headers=("Content-Type",),
        headers={"User-Agent": "metadata-center-replay", **credentials.headers},
    )


class NodeClient:
    """A gateway's connections to one node. Every call raises `CallFailed`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def query(self, cluster: str, trace_id: str = "") -> list[ReplayEngine]:
        """Return the load of a cluster's engines; empty for an unknown cluster."""
        return (await self.send(_query(cluster, trace_id), _decode_loads)).data or []

    async def ready(self) -> None:
        """Return whether the node is ready. The Go version has no such call and counts as ready."""
        try:
            async with self._session.get("/readyz") as response:
                if response.status not in {200, 404}:
                    raise CallFailed("not ready" if response.status == 503 else f"/readyz: HTTP {response.status}")
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(_reason(error)) from error

    async def send(self, call: _Call, decode: Callable[[bytes], Answer]) -> Answer:
        """Return the answer to a call."""
        try:
            request = self._session.request(
                call.method, call.path, params=call.params, data=call.data, headers={"TraceId": call.trace_id}
            )
            async with request as response:
                return _success(response.status, decode, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(_reason(error)) from error


class GatewayClient:
    """The calls to `nodes`, which `measures` knows by the same names in the same order: the sorted list.

    All raise `CallFailed`, and are measured either way.
    """

    def __init__(self, nodes: Sequence[NodeClient], measures: Measures, read_clock: Callable[[], float]) -> None:
        self._measures = measures
        self._read_clock = read_clock
        self._nodes = [
            (node, Breaker(read_clock), target) for node, target in zip(nodes, measures.targets.values(), strict=True)
        ]

    async def query(self, cluster: str, trace_id: str = "") -> list[ReplayEngine]:
        """Return the load of a cluster's engines; empty for an unknown cluster."""
        return (await self._call(cluster, _query(cluster, trace_id), _decode_loads)).data or []

    async def add(self, cluster: str, request_id: str, engine: str, prompt_length: int) -> None:
        """Report a request's start on an engine."""
        body = {"cluster": cluster, "request_id": request_id, "prompt_length": prompt_length, "ip": engine}
        call = _Call(ReplayCall.ADD, "POST", "/v1/load/stats", request_id, data=_encode(body))
        await self._call(cluster, call, _decode_ack)

    async def first_token(self, request_id: str) -> None:
        """Report a request's first token."""
        await self._delete(ReplayCall.FIRST_TOKEN, "/v1/load/prompt", request_id)

    async def done(self, request_id: str) -> None:
        """Report a request's end."""
        await self._delete(ReplayCall.DONE, "/v1/load/stats", request_id)

    async def _delete(self, operation: ReplayCall, path: str, request_id: str) -> None:
        body = _encode({"request_id": request_id, "cluster": "", "ip": ""})
        await self._call("", _Call(operation, "DELETE", path, request_id, data=body), _decode_ack)

    async def _call(self, cluster: str, call: _Call, decode: Callable[[bytes], Answer]) -> Answer:
        """Make a call at the node that `cluster` hashes to, or at the next one."""
        started = self._read_clock()
        first = node_of(cluster, len(self._nodes))
        try:
            if len(self._nodes) == 1:
                return await self._try(0, call, decode)
            _, breaker, target = self._nodes[first]
            if not breaker.is_open:
                try:
                    return await self._try(first, call, decode)
                except CallFailed:
                    pass
            target.failed_over += 1
            return await self._try((first + 1) % len(self._nodes), call, decode)
        except CallFailed as error:
            self._measures.failed(call.operation, str(error))
            raise
        finally:
            self._measures.took(call.operation, self._read_clock() - started)

    async def _try(self, index: int, call: _Call, decode: Callable[[bytes], Answer]) -> Answer:
        node, breaker, target = self._nodes[index]
        target.calls += 1
        try:
            answer = await node.send(call, decode)
        except CallFailed as error:
            _note(target, breaker, call, str(error))
            raise
        breaker.succeeded()
        return answer


def _note(target: TargetMeasures, breaker: Breaker, call: _Call, reason: str) -> None:
    target.failures[call.operation, reason] += 1
    before = breaker.openings
    breaker.failed()
    target.openings += breaker.openings - before


def _query(cluster: str, trace_id: str) -> _Call:
    return _Call(ReplayCall.QUERY, "GET", "/v1/load/stats", trace_id, params={"cluster": cluster})


def _success(status: int, decode: Callable[[bytes], Answer], body: bytes) -> Answer:
    if status != 200:
        raise CallFailed(f"HTTP {status}")
    try:
        answer = decode(body)
    except msgspec.DecodeError as error:
        raise CallFailed("not the contract's envelope") from error
    if answer.status != "OK":
        raise CallFailed("not OK in the envelope")
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT_SECONDS:g} s"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {os.strerror(error.errno) if error.errno else error.os_error}"
    return type(error).__name__

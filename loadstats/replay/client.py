# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One gateway's client of a node: the four calls as the real gateway sends them. Owned by the replay's loop.

As the contract tells: JSON without a Content-Type header, HTTP/1.1 kept alive, a `TraceId` header, and the members
`cluster` and `ip` in the bodies of deletes. Any answer but status 200 with the envelope's `OK` is a failure; nothing is
retried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from .engines import EngineLoad
from .measures import Measures, Operation

TIMEOUT_SECONDS = 1.0
# Calls, and so connections, of one gateway at a time; more wait their turn in the client, which shows as late starts.
# With 128, eight gateways that ended 800 requests at once overran a listen queue of 100, and 380 calls timed out; with
# 32 up to 133 did, with 16 none.
CALLS_AT_ONCE = 16


class CallFailed(Exception):
    """The call had no answer, or another than success. What the node did with it is unknown."""


class _Ack(Struct):
    status: str


class _Loads(Struct):
    status: str
    data: list[EngineLoad] | None = None


Answer = TypeVar("Answer", _Ack, _Loads)


def connect(target: str) -> aiohttp.ClientSession:
    """A session for one gateway; the caller closes it."""
    return aiohttp.ClientSession(
        target,
        connector=aiohttp.TCPConnector(limit=CALLS_AT_ONCE, keepalive_timeout=60.0),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        skip_auto_headers=("Content-Type",),
        headers={"User-Agent": "metadata-center-replay"},
    )


class NodeClient:
    """The calls to one node, for one cluster. All raise `CallFailed`, and are measured either way."""

    def __init__(
        self, session: aiohttp.ClientSession, cluster: str, measures: Measures, read_clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._cluster = cluster
        self._measures = measures
        self._read_clock = read_clock
        self._encode = msgspec.json.Encoder().encode
        self._decode_ack = msgspec.json.Decoder(_Ack).decode
        self._decode_loads = msgspec.json.Decoder(_Loads).decode

    async def query(self, trace_id: str = "") -> list[EngineLoad]:
        """The load of the cluster's engines; empty for a cluster the node does not know."""
        answer = await self._call(
            Operation.QUERY,
            self._decode_loads,
            "GET",
            "/v1/load/stats",
            params={"cluster": self._cluster},
            trace_id=trace_id,
        )
        return answer.data or []

    async def add(self, request_id: str, engine: str, prompt_length: int) -> None:
        """A request begins on an engine."""
        body = {"cluster": self._cluster, "request_id": request_id, "prompt_length": prompt_length, "ip": engine}
        await self._send(Operation.ADD, "POST", "/v1/load/stats", request_id, body)

    async def first_token(self, request_id: str) -> None:
        """Its prefill is over."""
        await self._delete(Operation.FIRST_TOKEN, "/v1/load/prompt", request_id)

    async def done(self, request_id: str) -> None:
        """It is over."""
        await self._delete(Operation.DONE, "/v1/load/stats", request_id)

    async def _delete(self, operation: Operation, path: str, request_id: str) -> None:
        await self._send(operation, "DELETE", path, request_id, {"request_id": request_id, "cluster": "", "ip": ""})

    async def _send(self, operation: Operation, method: str, path: str, trace_id: str, body: object) -> None:
        await self._call(operation, self._decode_ack, method, path, data=self._encode(body), trace_id=trace_id)

    async def _call(
        self,
        operation: Operation,
        decode: Callable[[bytes], Answer],
        method: str,
        path: str,
        trace_id: str,
        params: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        started = self._read_clock()
        try:
            request = self._session.request(method, path, params=params, data=data, headers={"TraceId": trace_id})
            async with request as response:
                return _success(response.status, decode, await response.read())
        except (CallFailed, aiohttp.ClientError, OSError) as error:
            reason = _reason(error)
            self._measures.failed(operation, reason)
            raise CallFailed(reason) from error
        finally:
            self._measures.took(operation, self._read_clock() - started)


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
    if isinstance(error, CallFailed):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT_SECONDS:g} s"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.strerror or error.os_error}"
    return type(error).__name__

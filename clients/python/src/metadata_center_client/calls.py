# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls of the API: what is sent, and how the answer is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, encode

from metadata_center_client.errors import CallRefused
from metadata_center_client.rows import (
    CachedPrefixes,
    ClientRow,
    ClusterLoad,
    Dropped,
    EngineLoad,
    ErrorPart,
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
RETRYABLE = 500  # from this status on, another node may do better
OPERATION_SECONDS = 0.0001  # more for each operation of a batch; a node takes 2 µs, and a busy one longer


class _Envelope(Struct, Generic[T]):
    data: T | None = None
    error: ErrorPart | None = None
    trace_id: str = ""


class Call(Generic[T]):
    """One call, ready to be sent to any node.

    `method`, `target`, `body`: the HTTP request.
    `key`: what the node is chosen by, a cluster's name as a rule.
    `extra_seconds`: how much longer than other calls the answer may take, once the node has taken the call.
    """

    __slots__ = ("_decoder", "_empty", "body", "extra_seconds", "key", "method", "target")

    def __init__(
        self, method: str, target: str, kind: type[T], empty: T, *, key: str = "", body: bytes = b"", extra: float = 0.0
    ) -> None:
        self.method = method
        self.target = target
        self.body = body
        self.key = key
        self.extra_seconds = extra
        self._decoder: Decoder[_Envelope[T]] = _decoder(kind)
        self._empty = empty

    def read(self, status: int, content: bytes) -> T:
        """Return an answer's data. Raises CallRefused, or ValueError for what is not an answer of a node."""
        try:
            envelope = self._decoder.decode(content)
        except DecodeError as invalid:
            raise ValueError(f"not an answer of a node: {invalid}") from None
        if status != 200 or envelope.error is not None:
            error = envelope.error or ErrorPart(status * 100_000, f"HTTP status {status}")
            raise CallRefused(status, error.code, error.message, error.reason, envelope.trace_id)
        return self._empty if envelope.data is None else envelope.data


_decoders: dict[Any, Decoder[Any]] = {}


def _decoder(kind: Any) -> Decoder[Any]:
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = Decoder(_Envelope[kind])
    return found


def _body(members: Mapping[str, object]) -> bytes:
    return encode({name: value for name, value in members.items() if value is not None})


def _command(method: str, path: str, members: Mapping[str, object], key: str) -> Call[None]:
    return Call(method, path, type(None), None, key=key, body=_body(members))


def _query(path: str, kind: type[T], empty: T, members: Mapping[str, object], key: str = "") -> Call[T]:
    given = {name: value for name, value in members.items() if value is not None}
    return Call("GET", path + ("?" + urlencode(given) if given else ""), kind, empty, key=key)


def load(cluster: str, wait_seconds: float | None = None) -> Call[list[EngineLoad]]:
    """Read the load of a cluster's engines; with `wait_seconds`, once it changes."""
    query: dict[str, object] = {"cluster": cluster}
    if wait_seconds is not None:
        query["wait"] = wait_seconds
    target = "/v1/load/stats?" + urlencode(query)
    return Call("GET", target, list[EngineLoad], [], key=cluster, extra=wait_seconds or 0.0)


def clusters(after: str = "", limit: int | None = None) -> Call[list[ClusterLoad]]:
    """Read the load of the clusters, by name, those that follow `after`."""
    return _query("/v1/load/clusters", list[ClusterLoad], [], {"after": after or None, "limit": limit})


def request(request_id: str) -> Call[RequestState]:
    """Look one request up."""
    empty = RequestState(request_id, "unknown", "")
    return _query("/v1/load/request", RequestState, empty, {"request_id": request_id})


def start(cluster: str, request_id: str, ip: str, members: Mapping[str, object]) -> Call[None]:
    """Report that a request was sent to an engine."""
    return _command(
        "POST", "/v1/load/stats", {"cluster": cluster, "request_id": request_id, "ip": ip, **members}, cluster
    )


def first_token(request_id: str, attempt: int | None, key: str) -> Call[None]:
    """Report that a request's prefill is over."""
    return _command("DELETE", "/v1/load/prompt", {"request_id": request_id, "attempt": attempt}, key)


def end(request_id: str, attempt: int | None, key: str, outcome: str | None = None) -> Call[None]:
    """Report that a request has ended."""
    members = {"request_id": request_id, "attempt": attempt, "outcome": outcome}
    return _command("DELETE", "/v1/load/stats", members, key)


def tokens(
    request_id: str, input_tokens: int | None, output_tokens: int | None, attempt: int | None, key: str
) -> Call[None]:
    """Report how many tokens a request holds on its engine."""
    members = {
        "request_id": request_id,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "attempt": attempt,
    }
    return _command("PUT", "/v1/load/tokens", members, key)


def refresh(request_ids: Sequence[str]) -> Call[Refreshed]:
    """Report that requests are still running."""
    return Call("PUT", "/v1/load/refresh", Refreshed, Refreshed(), body=encode({"request_ids": list(request_ids)}))


def heartbeat(owner: str, ttl_seconds: int, incarnation: str | None) -> Call[None]:
    """Send a gateway's heartbeat."""
    members = {"owner": owner, "ttl_seconds": ttl_seconds, "incarnation": incarnation}
    return _command("PUT", "/v1/load/owner", members, owner)


def owners(members: Mapping[str, object]) -> Call[GatewayPage]:
    """List the gateways, and what each has in flight."""
    return _query("/v1/load/owners", GatewayPage, GatewayPage(), members)


def end_owner(owner: str, members: Mapping[str, object]) -> Call[OwnerEnded]:
    """End all requests of a gateway."""
    body = _body({"owner": owner, **members})
    return Call("DELETE", "/v1/load/owner", OwnerEnded, OwnerEnded(), key=owner, body=body)


def history(cluster: str | None, members: Mapping[str, object]) -> Call[LoadHistory]:
    """Read what the load was."""
    given = {"cluster": cluster, **members}
    return _query("/v1/load/history", LoadHistory, LoadHistory(), given, cluster or "")


def events(members: Mapping[str, object]) -> Call[NodeEvents]:
    """Read what happened on the nodes."""
    return _query("/v1/events", NodeEvents, NodeEvents(), members)


def peers() -> Call[Standing]:
    """Ask a node how it and its peers are."""
    return _query("/v1/replica/peers", Standing, Standing(""), {})


def clients() -> Call[list[ClientRow]]:
    """Ask a node which clients take most of it."""
    return _query("/v1/node/clients", list[ClientRow], [], {})


def ready() -> Call[Readiness]:
    """Ask a node whether it should be sent requests."""
    return _query("/readyz", Readiness, Readiness(), {})


def alive() -> Call[str]:
    """Ask a node whether it lives."""
    return _query("/livez", str, "", {})


def version() -> Call[Versions]:
    """Ask a node for its versions."""
    return _query("/version", Versions, Versions(""), {})


def log_level(level: str) -> Call[str]:
    """Set how much a node's log holds."""
    return Call("POST", "/log/level", str, "", body=encode({"LevelParam": level}))


def pick(cluster: str, request_id: str, members: Mapping[str, object]) -> Call[PickedEngine]:
    """Choose an engine for a request and count the request there."""
    body = _body({"cluster": cluster, "request_id": request_id, **members})
    return Call("POST", "/v1/load/pick", PickedEngine, PickedEngine(""), key=cluster, body=body)


def batch(operations: Sequence[Mapping[str, object]], key: str = "") -> Call[list[OperationResult]]:
    """Make many calls in one."""
    body, extra = encode({"ops": operations}), OPERATION_SECONDS * len(operations)
    return Call("POST", "/v1/load/batch", list[OperationResult], [], key=key, body=body, extra=extra)


def drop_engine(cluster: str, ip: str, members: Mapping[str, object]) -> Call[Dropped]:
    """Drop an engine that was restarted or is gone."""
    body = _body({"cluster": cluster, "ip": ip, **members})
    return Call("DELETE", "/v1/load/engine", Dropped, Dropped(), key=cluster, body=body)


def save_prompt(cluster: str, ip: str, prompt_hash: Sequence[int], members: Mapping[str, object]) -> Call[None]:
    """Report that an engine has a prompt cached."""
    return _command(
        "POST", "/v1/cache/save", {"cluster": cluster, "ip": ip, "prompt_hash": list(prompt_hash), **members}, cluster
    )


def find_prompt(cluster: str, prompt_hash: Sequence[int], top_k: int | None) -> Call[CachedPrefixes]:
    """Ask which engines have the beginning of a prompt cached."""
    body = _body({"cluster": cluster, "prompt_hash": list(prompt_hash), "top_k": top_k})
    return Call("POST", "/v1/cache/query", CachedPrefixes, CachedPrefixes(), key=cluster, body=body)


def drop_cache(cluster: str, ip: str | None, members: Mapping[str, object]) -> Call[None]:
    """Report that an engine, or every engine of a cluster, lost its cache."""
    return _command("DELETE", "/v1/cache", {"cluster": cluster, "ip": ip, **members}, cluster)

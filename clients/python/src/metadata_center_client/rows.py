# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the answers hold. Immutable. Members that a later release adds are skipped."""

from __future__ import annotations

from msgspec import Struct


def engine_name(ip: str, port: int | None = None, dp_rank: int | None = None) -> str:
    """Return an engine's name as nodes write it: 10.0.0.1, 10.0.0.1:8000, 10.0.0.1/3, 10.0.0.1:8000/3, [::1]:8000/3."""
    if port is None and dp_rank is None:
        return ip
    host = f"[{ip}]" if ":" in ip else ip
    return host + ("" if port is None else f":{port}") + ("" if dp_rank is None else f"/{dp_rank}")


class EngineLoad(Struct, frozen=True):
    """The load of one engine. A number that a node leaves out is 0.

    `ip`, `port`, `dp_rank`: the engine's name; port and rank where the engine was reported with them.
    `queued_req_num`: requests that were started and have not ended.
    `prompt_length`: summed over requests before their first token, in the gateway's unit.
    `updated_time`: when a call last changed the row, in ns since 1970.
    `prefill_req_num`: requests before their first token.
    `token_num`: tokens held by requests in flight, where gateways report them.
    `orphaned_req_num`: requests whose gateway stopped sending heartbeats.
    """

    ip: str
    port: int | None = None
    dp_rank: int | None = None
    queued_req_num: int = 0
    prompt_length: int = 0
    updated_time: int = 0
    prefill_req_num: int = 0
    token_num: int = 0
    orphaned_req_num: int = 0


def name_of(row: EngineLoad) -> str:
    """Return the name of a row's engine."""
    return engine_name(row.ip, row.port, row.dp_rank)


class PickedEngine(EngineLoad, frozen=True):
    """The engine that a node chose for a request; its load counts the request.

    `score`: higher is better; None if the request was already on this engine.
    `cache_length`: how many leading blocks of the prompt the engine has cached.
    `attempt`: which attempt of the request this is.
    """

    score: float | None = None
    cache_length: int = 0
    attempt: int = 1


class ClusterLoad(Struct, frozen=True):
    """The load of one cluster, summed over its engines. Members as in `EngineLoad`."""

    cluster: str
    engines: int = 0
    queued_req_num: int = 0
    prompt_length: int = 0
    prefill_req_num: int = 0
    token_num: int = 0
    orphaned_req_num: int = 0


class RequestState(Struct, frozen=True):
    """One request as the node `node` knows it.

    `phase`: "prefill", "decode", "done", or "early" if its end arrived before its start.
    `age_seconds`: since its start.
    `remaining_seconds`: until it times out, or is removed if it has ended.
    `owner`: the gateway whose heartbeats keep it alive; empty if its start named no gateway.
    `cause`: why it ended; empty while it has not.
    `outcome`: "error" if the engine failed at it.
    """

    request_id: str
    phase: str
    node: str
    cluster: str = ""
    ip: str = ""
    age_seconds: float = 0
    remaining_seconds: float = 0
    prompt_length: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    owner: str = ""
    orphaned: bool = False
    cause: str = ""
    attempt: int = 1
    outcome: str = ""


class CachedPrefix(Struct, frozen=True):
    """An engine that has the beginning of a prompt cached.

    `length`: how many leading blocks.
    """

    ip: str
    length: int
    port: int | None = None
    dp_rank: int | None = None


class CachedPrefixes(Struct, frozen=True):
    """The engines that have most of a prompt cached, the longest prefix first."""

    locations: list[CachedPrefix] = []


class OperationResult(Struct, frozen=True):
    """What became of one operation of a batch.

    `code`: 200, or the error's number.
    `unknown`: requests of a refresh that the node does not know.
    `ended`: requests that a drop ended.
    """

    code: int
    message: str = ""
    reason: str = ""
    unknown: list[str] = []
    ended: int = 0


class Refreshed(Struct, frozen=True):
    """What a refresh did. `unknown`: requests that the node does not know or that have ended."""

    unknown: list[str] = []


class Dropped(Struct, frozen=True):
    """What dropping an engine did. `ended`: the requests that were in flight there."""

    ended: int = 0


class Gateway(Struct, frozen=True):
    """A gateway, as the node that answers knows it.

    `owner`: its name; without one, the client that reported its requests, or the node that took them.
    `kind`: which of the three `owner` is: "owner", "client" or "node".
    `requests`: in flight.
    `oldest_seconds`: since the oldest of them began; None if it has none.
    `orphans`: those of them that are orphaned.
    `heartbeat_seconds`: since its last heartbeat; None if it never sent one.
    `lapsed`: whether its heartbeats have stopped.
    `incarnation`: its present life; empty if it names none.
    `ended_by_age`: how many of its requests the node ended by age.
    """

    owner: str
    kind: str = "owner"
    requests: int = 0
    oldest_seconds: int | None = None
    orphans: int = 0
    heartbeat_seconds: int | None = None
    lapsed: bool = False
    incarnation: str = ""
    ended_by_age: int = 0


class GatewayPage(Struct, frozen=True):
    """Some of the gateways.

    `owners`: the gateways, in the order that was asked for.
    `next`: the `after` of the next page; None on the last one.
    `total`: how many there are in all.
    `requests`: what they have in flight in all.
    `age_seconds`: how old the numbers are.
    `node`: which node answered.
    """

    owners: list[Gateway] = []
    next: str | None = None
    total: int = 0
    requests: int = 0
    age_seconds: float = 0
    node: str = ""


class OwnerEnded(Struct, frozen=True):
    """What ending a gateway's requests did.

    `requests`: how many it had in flight.
    `ended`: how many of them were ended.
    """

    requests: int = 0
    ended: int = 0


class LoadHistory(Struct, frozen=True):
    """What the load was.

    `step_seconds`: the time between two numbers.
    `end_ns`: when the last numbers were, in ns since 1970.
    `series`: the numbers by name, the oldest first; None where a number is unknown.
    """

    step_seconds: int = 0
    end_ns: int = 0
    series: dict[str, list[float | None]] = {}


class NodeEvent(Struct, frozen=True):
    """Something that happened on a node. A name that does not apply is empty.

    `id`: tells it from all others, on every node.
    `kind`, `severity`: such as "peer_lost", "error".
    `node`: which node reported it.
    `time_ns`, `first_time_ns`, `times`: when it happened last and first, and how often.
    `cluster`, `engine`, `gateway`, `peer`, `item`: what it is about.
    `text`: a sentence for people.
    """

    id: str
    kind: str
    severity: str
    node: str = ""
    time_ns: int = 0
    first_time_ns: int = 0
    times: int = 1
    cluster: str = ""
    engine: str = ""
    gateway: str = ""
    peer: str = ""
    item: str = ""
    text: str = ""


class NodeEvents(Struct, frozen=True):
    """A page of events, the newest first. `next`: the `after` of the next page; empty on the last one."""

    events: list[NodeEvent] = []
    next: str = ""


class PeerLag(Struct, frozen=True):
    """A peer, as the node that answers sees it.

    `peer`: its address and port.
    `state`: "new", "connected", "lost" or "legacy".
    `since_seconds`: for how long; None if it never changed.
    `joined`: whether it has caught up with its own peers.
    `lag_events`, `lag_seconds`: events that it lacks, and how long the oldest of them has waited.
    `last_error`: why it was lost, or what failed lately; empty once all is well.
    """

    peer: str
    state: str = ""
    since_seconds: float | None = None
    origin: str = ""
    joined: bool = False
    console_url: str = ""
    acknowledged: int = 0
    lag_events: int = 0
    lag_seconds: float = 0
    sent_events: int = 0
    lost_events: int = 0
    pulling_buckets: int = 0
    failed_pulls: int = 0
    refused_events: int = 0
    unwritten_pushes: int = 0
    last_error: str = ""


class Standing(Struct, frozen=True):
    """A node among its peers.

    `origin`: this life of the node.
    `joined`: whether it has caught up with its peers, or is alone.
    `cold_since`: since when it may lack what was reported before it began; None if it lacks nothing.
    `vector`: for each origin, the last event up to which the node has seen all.
    `left_out_events`: events of peers that it could not take.
    """

    origin: str
    joined: bool = False
    cold_since: str | None = None
    vector: dict[str, int] = {}
    left_out_events: int = 0
    peers: list[PeerLag] = []


class ClientRow(Struct, frozen=True):
    """A client of a node, and what it holds there now. `calls`, `refused_calls`: since it connected."""

    client: str
    connections: int = 0
    calls: int = 0
    refused_calls: int = 0
    waits: int = 0
    sockets: int = 0
    pages: int = 0


class NodePart(Struct, frozen=True):
    """A part of a node. `detail`: why it is not ok. `essential`: whether the node is unready without it."""

    name: str
    state: str
    since: str = ""
    detail: str = ""
    essential: bool = False


class Readiness(Struct, frozen=True):
    """A node that takes requests. `status`: "ready" or "degraded". `cold_since`: as in `Standing`."""

    status: str = ""
    cold_since: str | None = None
    parts: list[NodePart] = []


class Versions(Struct, frozen=True):
    """The versions of a node's service and of its Python."""

    version: str
    python: str = ""


class ErrorPart(Struct, frozen=True):
    """The error of an answer."""

    code: int
    message: str
    reason: str = ""

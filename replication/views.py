# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The replication calls' pages."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from edge.errors import Forbidden, TooMany
from edge.rest.viewset import HandlerViewSet
from replication import paths


class Event(Struct):
    """A gateway's call. `load.stats.set` needs `cluster` and `ip` too, the other types only `request_id`."""

    event_type: Annotated[
        Literal["load.stats.set", "load.prompt.delete", "load.stats.delete"],
        Meta(description="the header Event-Type", extra={"header": "Event-Type"}),
    ]
    request_id: Annotated[str, Meta(min_length=1, max_length=256, description="1 to 256 characters")]
    cluster: Annotated[str | None, Meta(description="for load.stats.set only, as the two below")] = None
    ip: str | None = None
    prompt_length: int | None = None


class LeftOutOf(Struct):
    """An event of a peer that could not be taken."""

    origin: Annotated[str, Meta(description="the life of the node that sent it")]
    seq: Annotated[int, Meta(description="its number among that one's")]
    reason: Annotated[str, Meta(description="why it could not be taken")]


class PeerLag(Struct):
    """A peer as this node sees it."""

    peer: Annotated[str, Meta(description="address and port")]
    state: Annotated[str, Meta(description="new, connected, lost or legacy")]
    since_seconds: Annotated[float | None, Meta(description="since it is; null where it has not changed yet")]
    origin: Annotated[str, Meta(description="the peer's, as it last said")]
    joined: Annotated[bool, Meta(description="the peer's, as it last said")]
    console_url: Annotated[str, Meta(description="where people reach its console; empty if it does not say")]
    acknowledged: Annotated[int, Meta(description="the last event of this node before which the peer has all")]
    lag_events: Annotated[int, Meta(description="events that the peer has not")]
    lag_seconds: Annotated[float, Meta(description="how long the oldest of those has waited")]
    sent_events: Annotated[int, Meta(description="acknowledged since this node started")]
    lost_events: Annotated[int, Meta(description="not taken by a peer of the Go version's kind")]
    pulling_buckets: Annotated[int, Meta(description="still to come of a pull from it, of 1,024")]
    failed_pulls: Annotated[int, Meta(description="pulls from it that failed")]
    refused_events: Annotated[int, Meta(description="events that it refused and was sent no more")]
    unwritten_pushes: Annotated[int, Meta(description="pushes to it with an event that could not be written")]
    last_error: Annotated[str, Meta(description="why it was lost, or what failed lately; empty once all is well")]


class NodeOnLog(Struct):
    """Another node on the log, as this one knows it."""

    origin: Annotated[str, Meta(description="this life of the node")]
    address: Annotated[str, Meta(description="where it takes calls, as it says")]
    present: Annotated[bool, Meta(description="it announces itself; false: it fell silent without a goodbye")]
    joined: Annotated[bool, Meta(description="it has read all of the log")]
    silent_seconds: Annotated[float, Meta(description="since this node heard it last")]
    acknowledged: Annotated[int, Meta(description="the last event of this node before which it has all")]
    lag_events: Annotated[int, Meta(description="events of this node that it has not")]


class LogAsSeen(Struct):
    """The log that this node shares with others."""

    server: Annotated[str, Meta(description="the log server's place, without a secret")]
    version: Annotated[str, Meta(description="what the log server says that it is; empty before it was asked")]
    up: Annotated[bool, Meta(description="it does what it is asked")]
    reason: Annotated[str, Meta(description="why it does not, or takes no more; empty if all is well")]
    generation: Annotated[str, Meta(description="of the log; another one begins where entries were lost")]
    joined: Annotated[bool, Meta(description="this node has read all of the log")]
    entries: Annotated[int, Meta(description="in the stream")]
    snapshot_age_seconds: Annotated[float | None, Meta(description="of the latest snapshot; null if there is none")]
    lag_events: Annotated[int, Meta(description="events of this node that are not in the log yet")]
    nodes: Annotated[list[NodeOnLog], Meta(description="the other nodes that did not say goodbye")]


class Standing(Struct):
    """This node among its peers."""

    origin: Annotated[str, Meta(description="this life of this node")]
    joined: Annotated[bool, Meta(description="it has caught up with its peers, or is alone")]
    cold_since: Annotated[
        str | None,
        Meta(
            description="since when it may lack what was reported before it began; null if it lacks nothing",
            extra_json_schema={"format": "date-time"},
        ),
    ]
    vector: Annotated[
        dict[str, int], Meta(description="for each origin, the last event before which this node has seen all")
    ]
    left_out_events: Annotated[int, Meta(description="events of peers that could not be taken, since the start")]
    left_out: Annotated[list[LeftOutOf], Meta(description="the last of those, 16 at most")]
    peers: list[PeerLag]
    log: Annotated[LogAsSeen | None, Meta(description="the log; null: this node shares none")]


class ReplicaEvent(HandlerViewSet):
    """What a peer of the Go version's kind sends: a gateway's call, repeated."""

    path = paths.EVENT
    inputs: ClassVar = {"POST": Event}
    outputs: ClassVar = {"POST": None}
    errors: ClassVar = {"POST": {Forbidden: None, TooMany: None}}
    examples: ClassVar = {
        "event_type": "load.stats.set",
        "request_id": "demo-2",
        "cluster": "demo",
        "ip": "10.0.0.2",
        "prompt_length": 100,
    }


class ReplicaPeers(HandlerViewSet):
    """This node among its peers: how far it has come, and how far each of them is behind."""

    path = paths.PEERS
    inputs: ClassVar = {"GET": None}
    outputs: ClassVar = {"GET": Standing}
    examples: ClassVar = {
        "origin": "10.0.0.8:8080@18eab1234c6e0797",
        "joined": True,
        "cold_since": None,
        "vector": {"10.0.0.8:8080@18eab1234c6e0797": 41},
        "left_out_events": 0,
        "left_out": [],
        "peer": "10.0.0.8:8080",
        "state": "connected",
        "since_seconds": 3.362,
        "console_url": "https://node-8.example.com",
        "acknowledged": 12,
        "sent_events": 12,
        "log": None,
    }

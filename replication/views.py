# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The replication calls' pages."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from metadata_center.rest import HandlerViewSet
from replication import paths


class Event(Struct):
    """`POST /v1/replica/event` as a form. Which members it needs depends on the type; its handler knows."""

    event_type: Annotated[
        Literal["load.stats.set", "load.prompt.delete", "load.stats.delete"],
        Meta(description="the header Event-Type", extra={"header": "Event-Type"}),
    ]
    request_id: str
    cluster: Annotated[str | None, Meta(description="for load.stats.set only, as the two below")] = None
    ip: str | None = None
    prompt_length: int | None = None


class ReplicaEvent(HandlerViewSet):
    """What a peer of the original's kind sends: a gateway's call, told again."""

    path = paths.EVENT
    inputs: ClassVar = {"POST": Event}
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

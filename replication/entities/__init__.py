# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The list of all that is replicated.

To add an entity, touch two files:

1. Write its own file beside this one: a subclass of `replication.entity.Entity`, and the structs of its events.
2. Add it here: to `Entities`, its events to `Event`, and, if it is compared, its digests to the end of `Summary`, with
   a default for peers that do not send them. Nodes of older releases do not know it: give it a feature.

The journal, pushes, pulls, paths and logs follow from that. Whoever makes `Entities` hands in what the entity keeps its
data in.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from replication.entities.caches import CacheEvent, ReplicatedCaches
from replication.entities.requests import Digests, OwnerIncarnations, Owners, ReplicatedRequests, RequestEvent
from replication.features import FeatureNames

OriginName = Annotated[str, Meta(min_length=1, max_length=128)]
Number = Annotated[int, Meta(ge=0)]

Event = RequestEvent | CacheEvent


class Entities(NamedTuple):
    """One node's entities, in the order in which a push is applied and a whole pull takes them."""

    requests: ReplicatedRequests
    caches: ReplicatedCaches


class Summary(Struct, frozen=True, array_like=True):
    """What a node holds.

    `version`: the protocol's.
    `origin`: the node's own.
    `joined`: whether it has caught up with its peers.
    `vector`: for each origin the last event before which it has seen all.
    `digests`: of the requests' buckets.
    `owners`: the gateways that it knows, and how long each still lives.
    `features`: what the node understands; see `features.py`.
    `incarnations`: of those that name them: how long they are remembered, and when each was first seen.
    """

    version: int
    origin: OriginName
    joined: bool
    vector: Annotated[dict[OriginName, Number], Meta(max_length=1024)]
    digests: Digests
    owners: Owners = {}
    features: FeatureNames = []
    incarnations: OwnerIncarnations = {}

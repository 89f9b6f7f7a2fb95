# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What `GET /v1/events` takes and answers. Immutable."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from edge.body import INT64, MAX_NAME, Name
from runtime.notices.kind import Kind, Severity

MAX_EVENTS = 200
MAX_AGE_SECONDS = 31_536_000

AgeSeconds = Annotated[
    int, Meta(ge=1, le=MAX_AGE_SECONDS, description="only what happened at most so many seconds ago")
]
SomeText = Annotated[
    str, Meta(max_length=MAX_NAME, description="only events with these words in their text or names, in any case")
]
AfterId = Annotated[str, Meta(min_length=1, max_length=512, description="the `next` of the answer before")]
EventsLimit = Annotated[int, Meta(ge=1, le=MAX_EVENTS, description="how many at most")]
Grave = Annotated[Severity, Meta(description="only events at least as grave")]
WallNs = Annotated[int, Meta(description="wall-clock nanoseconds", extra_json_schema=INT64)]


class EventQuery(Struct, frozen=True):
    """`GET /v1/events`: the query string. A filter that is left out lets all pass."""

    kind: Kind | UnsetType = UNSET
    severity: Grave = Severity.INFO
    node: Name | UnsetType = UNSET
    cluster: Name | UnsetType = UNSET
    age: AgeSeconds | UnsetType = UNSET
    text: SomeText = ""
    after: AfterId | UnsetType = UNSET
    limit: EventsLimit = 100


class NodeEvent(Struct, frozen=True):
    """One event. A name that does not apply is empty.

    `id` tells it from all others, on every node. `node` reported it. `times` is how often it happened from
    `first_time_ns` to `time_ns`. `item` is what it is about beside the names: a task, a cap, a client.
    """

    id: str
    kind: Kind
    severity: Severity
    node: str
    time_ns: WallNs
    first_time_ns: WallNs
    times: int
    cluster: str
    engine: str
    gateway: str
    peer: str
    item: str
    text: str


class NodeEvents(Struct, frozen=True):
    """A page of events, the newest first. `next` is the `after` of the next page, empty on the last one."""

    events: list[NodeEvent]
    next: str

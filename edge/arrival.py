# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When a page was asked for, and its trace id. Made on the event loop, read on the thread that makes the page.

A page may wait for its thread, and its duration has to include that.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, time_ns
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from msgspec import Struct

from edge.envelope import TraceIds

KEY = "metadata_center.arrival"


class Arrival(Struct, frozen=True):
    """Of one request.

    `trace_id`: its own, or a fresh one.
    `wall_ns`: the wall-clock time.
    `started_ns`: the same by the clock that measures durations.
    """

    trace_id: bytes
    wall_ns: int
    started_ns: int

    @property
    def duration_ns(self) -> int:
        """How long ago it was."""
        return perf_counter_ns() - self.started_ns


def arrive(trace_header: bytes | None, trace_ids: TraceIds) -> Arrival:
    """Return the arrival of a request that arrives now."""
    return Arrival(trace_ids.of(trace_header), time_ns(), perf_counter_ns())


def arrival_of(request: HttpRequest, trace_ids: TraceIds) -> Arrival:
    """Return a request's arrival; that of now where no server of ours noted it."""
    scope: Mapping[str, Any] = request.scope if isinstance(request, ASGIRequest) else {}
    noted: Arrival | None = scope.get(KEY)
    return noted or arrive(request.headers.get("TraceId", "").encode("latin-1", "replace"), trace_ids)

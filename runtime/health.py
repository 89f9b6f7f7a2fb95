# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The register of the node's parts: which there are, in what state each is and since when.

Any thread may add, ask or drain: one lock holds all of it. Parts are looked at when somebody asks, there is no thread
of its own, so a change is dated and logged when it is first seen. Probes must not block: they run under the lock.

Always holds: only an essential part can take the node out of rotation. Any other makes it "degraded" at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from threading import Lock
from typing import Final, TypedDict

from msgspec import Struct

logger = logging.getLogger(__name__)


class PartState(StrEnum):
    """How a part is. Only `OK` counts as alive; `DEGRADED` says that it runs, but not as it should."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"


Probe = Callable[[], tuple[PartState, str]]
"""Tells a part's state and a short detail for people, at once and from any thread."""


class PartReport(TypedDict):
    name: str
    state: str
    since: str
    detail: str
    essential: bool


class HealthReport(TypedDict):
    """`status`: ready, degraded, starting, stopping or failed; ready and degraded nodes take requests."""

    status: str
    parts: list[PartReport]


class _RegisteredPart(Struct):
    name: str
    essential: bool
    probe: Probe
    since: float
    state: PartState = PartState.STARTING
    detail: str = ""


_LEVELS: Final = {PartState.DEGRADED: logging.WARNING, PartState.FAILED: logging.ERROR}
_IN_ROTATION: Final = frozenset({"ready", "degraded"})


class Health:
    """`clock` tells the wall time in seconds since the epoch: it dates what people read, nothing is decided by it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._parts: dict[str, _RegisteredPart] = {}
        self._draining = False

    def add(self, name: str, essential: bool, probe: Probe) -> None:
        """Register a part, "starting" until it is looked at. ValueError where the name is taken."""
        with self._lock:
            if name in self._parts:
                raise ValueError(f"a part named {name!r} is registered already")
            self._parts[name] = _RegisteredPart(name, essential, probe, since=self._clock())

    def draining(self) -> None:
        """From now on the node is "stopping", whatever its parts say."""
        with self._lock:
            self._draining = True

    def report(self) -> HealthReport:
        """Look at every part; what `/readyz` shows."""
        with self._lock:
            self._look()
            return {
                "status": self._status(),
                "parts": [
                    {
                        "name": part.name,
                        "state": part.state.value,
                        "since": rfc3339(part.since),
                        "detail": part.detail,
                        "essential": part.essential,
                    }
                    for part in self._parts.values()
                ],
            }

    def ready(self) -> bool:
        """Whether the node should be sent requests: `/readyz` answers 200, else 503."""
        with self._lock:
            self._look()
            return self._status() in _IN_ROTATION

    def alive(self) -> dict[str, int]:
        """1 for each part that is ok, 0 for any other: the samples of a metric."""
        with self._lock:
            self._look()
            return {part.name: int(part.state is PartState.OK) for part in self._parts.values()}

    def _look(self) -> None:
        for part in self._parts.values():
            try:
                state, detail = part.probe()
            except Exception as error:
                state, detail = PartState.FAILED, type(error).__name__
            if state is not part.state:
                logger.log(
                    _LEVELS.get(state, logging.INFO),
                    "%s: %s, was %s%s",
                    part.name,
                    state.value,
                    part.state.value,
                    f" ({detail})" if detail else "",
                )
                part.state, part.since = state, self._clock()
            part.detail = detail

    def _status(self) -> str:
        if self._draining:
            return "stopping"
        # Before the first part is named nobody has said what must be well.
        essential = (
            {part.state for part in self._parts.values() if part.essential} if self._parts else {PartState.STARTING}
        )
        if essential <= {PartState.OK, PartState.DEGRADED}:
            return "ready" if all(part.state is PartState.OK for part in self._parts.values()) else "degraded"
        return "starting" if essential <= {PartState.OK, PartState.DEGRADED, PartState.STARTING} else "failed"


def rfc3339(seconds: float) -> str:
    """Wall time (seconds since the epoch) as people and programs read it: `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of each part of the node, and since when it is in it.

Any thread may call; one lock guards the register. While it is watched (`health_watch.py`) the parts are probed every
second, more often while one is starting, and whoever asks gets what was seen last: a change is dated and logged when it
happened, to the second, and not when somebody asks. Where nobody watches, as under servers other than ours, every
question is a look. Probes run under the lock and must not block.

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
    """The state of a part. Only `OK` counts as alive. `DEGRADED`: it runs, but not as it should."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"


Probe = Callable[[], tuple[PartState, str]]
"""Returns a part's state and a short detail for people. Called on any thread; must not block."""


class PartReport(TypedDict):
    name: str
    state: str
    since: str
    detail: str
    essential: bool


class HealthReport(TypedDict):
    """The state of the node.

    `status`: ready, degraded, starting, stopping or failed. A ready or degraded node takes requests.
    `cold_since`: since when the node may lack what was reported before it began; None if it lacks nothing.
    `parts`: the parts, in the order in which they were added.
    """

    status: str
    cold_since: str | None
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
    """The register.

    `watched`: somebody calls `look` every second, or more often.

    `clock` returns the wall time in seconds since 1970. It dates what people read; no decision depends on it.
    `cold_since` returns what the method of that name returns.
    """

    def __init__(self, clock: Callable[[], float], cold_since: Callable[[], str | None] = lambda: None) -> None:
        self._clock = clock
        self._cold_since = cold_since
        self._lock = Lock()
        self._parts: dict[str, _RegisteredPart] = {}
        self._draining = False
        self.watched = False

    def add(self, name: str, essential: bool, probe: Probe) -> None:
        """Register a part. It is "starting" until it is first probed. Raises ValueError if the name is taken."""
        with self._lock:
            if name in self._parts:
                raise ValueError(f"a part named {name!r} is registered already")
            self._parts[name] = _RegisteredPart(name, essential, probe, since=self._clock())

    def draining(self) -> None:
        """Make the node "stopping" from now on, in any state of its parts."""
        with self._lock:
            self._draining = True

    def cold_since(self) -> str | None:
        """Return since when the node may lack what was reported before it began, as RFC 3339 writes it.

        Returns None if it lacks nothing: a peer filled it, or all that was before has expired (`cold_start.py`). The
        node's status does not depend on it. For pages that warn people; any thread may call.
        """
        return self._cold_since()

    def look(self) -> bool:
        """Probe every part. Returns whether one is still starting."""
        with self._lock:
            self._probe()
            return any(part.state is PartState.STARTING for part in self._parts.values())

    def report(self) -> HealthReport:
        """Return what `/readyz` shows."""
        with self._lock:
            self._ask()
            return {
                "status": self._status(),
                "cold_since": self._cold_since(),
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
        """Return whether the node should get requests: `/readyz` answers 200, else 503."""
        with self._lock:
            self._ask()
            return self._status() in _IN_ROTATION

    def alive(self) -> dict[str, int]:
        """Return 1 for each part that is ok and 0 for any other: the samples of a metric."""
        with self._lock:
            self._ask()
            return {part.name: int(part.state is PartState.OK) for part in self._parts.values()}

    def _ask(self) -> None:
        if not self.watched:
            self._probe()

    def _probe(self) -> None:
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
        # Without any part it is not known yet what must be well.
        essential = (
            {part.state for part in self._parts.values() if part.essential} if self._parts else {PartState.STARTING}
        )
        if essential <= {PartState.OK, PartState.DEGRADED}:
            return "ready" if all(part.state is PartState.OK for part in self._parts.values()) else "degraded"
        return "starting" if essential <= {PartState.OK, PartState.DEGRADED, PartState.STARTING} else "failed"


def rfc3339(seconds: float) -> str:
    """Write wall time, in seconds since 1970, as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What orchestrators ask a node: is it alive, is it ready, which version is it. Thread-safe, holds no state."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edge.call import Call, Route
from edge.errors import Unavailable
from edge.open_doors import OpenDoor
from metadata_center import __version__
from runtime.health import Health


class Versions(Struct, frozen=True):
    """What runs here."""

    version: Annotated[str, Meta(description="of the service")]
    python: Annotated[str, Meta(description="of the Python that runs it")]


class Part(Struct, frozen=True):
    """A part of the node. Only an essential one can make the node unready."""

    name: Annotated[str, Meta(examples=["worker"])]
    state: Annotated[Literal["starting", "ok", "degraded", "failed", "stopped"], Meta(examples=["ok"])]
    since: Annotated[str, Meta(examples=["2026-11-23T13:22:03.693Z"], extra_json_schema={"format": "date-time"})]
    detail: Annotated[str, Meta(description="why it is not ok; empty where there is nothing to say")]
    essential: bool


ColdSince = Annotated[
    str | None,
    Meta(
        description="since when the node may lack what was reported before it began; null if it lacks nothing",
        examples=["2026-11-23T13:22:03.446Z"],
        extra_json_schema={"format": "date-time"},
    ),
]


class Ready(Struct, frozen=True):
    """A node that should be sent requests."""

    status: Annotated[Literal["ready", "degraded"], Meta(examples=["ready"])]
    cold_since: ColdSince
    parts: list[Part]
    doors: list[OpenDoor]


class Unready(Struct, frozen=True):
    """A node that should be sent none."""

    status: Annotated[Literal["starting", "stopping", "failed"], Meta(examples=["stopping"])]
    cold_since: ColdSince
    parts: list[Part]
    doors: list[OpenDoor]


class StatusHandlers:
    """Handlers over the node's health. `doors`: who may do what, as `/readyz` shows it."""

    def __init__(self, health: Health, doors: Sequence[OpenDoor] = ()) -> None:
        self._health = health
        self._doors = list(doors)

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (
            Route("GET", "/livez", self.livez, scope=None),
            Route("GET", "/readyz", self.readyz, scope=None),
            Route("GET", "/version", self.version, scope=None),
        )

    def livez(self, call: Call) -> bytes:
        """`GET /livez`: the loop answers. Nothing else is asked, so that no restart is caused by a part that heals."""
        return b'"alive"'

    def readyz(self, call: Call) -> bytes:
        """`GET /readyz`: every part with its state and since when; 503 while starting or stopping.

        Also which doors are open to whom.
        """
        report = msgspec.json.encode({**self._health.report(), "doors": self._doors})
        if not self._health.ready():
            raise Unavailable("not ready: `data` names the part that is not ok", data=report)
        return report

    def version(self, call: Call) -> bytes:
        """`GET /version`: the versions of the service and of the Python that runs it."""
        return msgspec.json.encode(Versions(__version__, platform.python_version()))

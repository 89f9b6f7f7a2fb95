# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What orchestrators ask a node: is it alive, is it ready, which version is it. Thread-safe, holds no state."""

from __future__ import annotations

import platform

import msgspec

from metadata_center import __version__
from metadata_center.errors import Unavailable
from metadata_center.health import Health
from metadata_center.http.call import Call, Route


class StatusHandlers:
    """Handlers over the node's health."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def routes(self) -> tuple[Route, ...]:
        """The calls by method and path."""
        return (
            Route("GET", "/livez", self.livez),
            Route("GET", "/readyz", self.readyz),
            Route("GET", "/version", self.version),
        )

    def livez(self, call: Call) -> bytes:
        """`GET /livez`: the loop answers. Nothing else is asked, so that no restart is caused by a part that heals."""
        return b'"alive"'

    def readyz(self, call: Call) -> bytes:
        """`GET /readyz`: every part with its state and since when; 503 while starting or stopping."""
        report = msgspec.json.encode(self._health.report())
        if not self._health.ready():
            raise Unavailable("not ready: `data` tells which part is not", data=report)
        return report

    def version(self, call: Call) -> bytes:
        """`GET /version`: of the service and of the Python that runs it."""
        return msgspec.json.encode({"version": __version__, "python": platform.python_version()})

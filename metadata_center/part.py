# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls about the node itself, as a part: alive, ready, which version, what it logs, who calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.call import Route
from edge.open_doors import OpenDoor
from edge.part import AppPart
from edge.quotas import Quotas
from metadata_center.clients import ClientHandlers
from metadata_center.log_level import LogHandlers
from metadata_center.status import StatusHandlers
from runtime.health import Health
from runtime.logs import Logs


class NodeItself(AppPart):
    """The node itself. Without state. `doors`: who may do what."""

    def __init__(self, logs: Logs, health: Health, doors: Sequence[OpenDoor], quotas: Quotas) -> None:
        self._handlers = (LogHandlers(logs), StatusHandlers(health, doors), ClientHandlers(quotas))

    def routes(self) -> Iterable[Route]:
        return [route for handlers in self._handlers for route in handlers.routes()]

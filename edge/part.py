# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The shape of an app to the composition root: what it serves, measures, repeats and runs.

The root builds each part once, asks it for everything below, and starts and stops the parts in order. A part says
itself which threads own its state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct
from prometheus_client.registry import Collector

from edge.call import Route
from runtime.health import Probe
from runtime.periodic import PeriodicTask


class LoopPart(Protocol):
    """Something that lives on the server's event loop. Both methods are called there."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


class HealthCheck(Struct, frozen=True):
    """A line of `/readyz`.

    `name`: the line's name, unique in the node.
    `essential`: the node is unready while the probe fails.
    `probe`: returns the state and a detail at once, from any thread.
    """

    name: str
    essential: bool
    probe: Probe


class AppPart:
    """What an app gives to a node. A subclass overrides the methods for what it has."""

    def routes(self) -> Iterable[Route]:
        """Return the calls it answers."""
        return ()

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors that Prometheus scrapes."""
        return ()

    def periodic(self) -> Iterable[PeriodicTask]:
        """Return the tasks that Celery beat repeats."""
        return ()

    def loop_parts(self) -> Iterable[LoopPart]:
        """Return what the server starts and stops on its event loop."""
        return ()

    def checks(self) -> Iterable[HealthCheck]:
        """Return its lines of `/readyz`."""
        return ()

    def start(self) -> None:
        """Begin to work. Called once, on the main thread, before the event loop runs."""

    def drain(self) -> None:
        """Prepare to stop: calls that wait are answered. Called on the event loop."""

    def flush(self) -> None:
        """Begin to hand on what was taken from clients. No more is taken from now on. Called on the event loop."""

    def flushed(self) -> bool:
        """Return whether all of that is where it belongs. Asked on the event loop again and again, after `flush`."""
        return True

    def stop(self) -> None:
        """End all work. Called once, on the main thread, after the event loop has ended."""

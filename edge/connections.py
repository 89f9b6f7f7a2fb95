# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The open connections of a server: closes those that timed out, asks for them back before a stop.

Owned by the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.lane import Lane
from edge.lane_state import LaneState
from edge.websocket import Socket

LOOKS = 512  # in a tenth of a second: 1 ms


class Connections:
    """The lanes and websockets of one server."""

    def __init__(self, state: LaneState) -> None:
        self._state = state
        self._left: list[object] = []  # of this round of looks, the next last

    def drain(self) -> None:
        """Ask for the connections back, with each answer from now on and with those of Django that are under way."""
        self._state.draining = True
        for lane in self._lanes():
            if lane.cycle is not None:
                lane.cycle.keep_alive = False

    def busy(self) -> bool:
        """Return whether Django or an async handler works on a request that is complete."""
        cycles = (lane.cycle for lane in self._lanes())
        return any(cycle is not None and not cycle.more_body and not cycle.response_complete for cycle in cycles)

    def sweep(self, now: float) -> None:
        """Set the clock, in monotonic seconds, and close what has timed out.

        With very many connections it looks at some of them each time: 16,000 take 30 ms at once, and three seconds so.
        """
        self._state.now = now
        connections = self._state.server_state.connections
        if not self._left:
            self._left = list(connections)
        some = self._left[-LOOKS:]
        del self._left[-LOOKS:]  # a copy of the others would take as long as the looks
        for each in some:
            if isinstance(each, Lane | Socket) and each in connections:
                each.check_time(now)

    def _lanes(self) -> Iterator[Lane]:
        return (each for each in list(self._state.server_state.connections) if isinstance(each, Lane))

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a connection is read. uvicorn pauses it for one reason, the lane for another; either is enough.

Belongs to its connection, on the event loop.
"""

from __future__ import annotations

from asyncio import Transport

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """uvicorn's flow control, which cannot resume reading while the lane holds it."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._held = False
        self._full = False  # uvicorn holds as much of a body as it wants to

    def pause_reading(self) -> None:
        """Read no more, for uvicorn's reason."""
        self._full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Read on, as far as uvicorn is concerned."""
        self._full = False
        if not self._held:
            super().resume_reading()

    def hold(self) -> None:
        """Read no more, for the lane's reason: it has bytes that wait."""
        self._held = True
        super().pause_reading()

    def release(self) -> None:
        """Read on, as far as the lane is concerned."""
        self._held = False
        if not self._full:
            super().resume_reading()

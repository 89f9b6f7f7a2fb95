# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a source of keys is, and the thread that watches one.

Each source has a thread of its own, so that one that hangs holds up neither the event loop nor the other source. The
thread owns the source. What others read of a watch is replaced whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import time
from typing import Protocol

from access.grant import Grant, wall_text
from access.key_ring import KeyChanges, KeyRing
from runtime.health import PartState

logger = logging.getLogger("access")

INTERVAL_SECONDS = 1.0  # between two looks: a change holds within 5 s on every node


class KeySource(Protocol):
    """Where keys come from.

    `name`: what people call it.
    """

    name: str

    def look(self) -> list[Grant] | None:
        """Return the keys; None if they are as at the last look that returned some. Raises any exception."""
        ...

    def note_used(self, grants: list[Grant]) -> None:
        """Write down which keys were used, if it is time to. Raises any exception."""
        ...

    def close(self) -> None:
        """Free what the thread holds."""
        ...


class SourceWatch:
    """Looks at a source again and again, and hands what changed to the ring.

    While the source can't be read, or what it holds is wrong, the last known keys hold. The log says so once for each
    reason, `/readyz` as long as it lasts.

    `on_changes`: called on the thread with what a later look changed. What the first one finds is no change.

    `problem`: why the source can't be read; empty if it can.
    """

    def __init__(
        self,
        source: KeySource,
        ring: KeyRing,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        now: Callable[[], float] = time,
        on_changes: Callable[[KeyChanges], None] = lambda changes: None,
    ) -> None:
        self.problem = ""
        self._source = source
        self._ring = ring
        self._interval_seconds = interval_seconds
        self._now = now
        self._on_changes = on_changes
        self._since: float | None = None  # when the keys that hold were read
        self._ended = False
        self._wanted = Event()
        self._looked = Event()
        self._thread = Thread(target=self._run, name=f"keys-{source.name}", daemon=True)
        ring.add_source(source.name)

    def start(self, wait_seconds: float) -> None:
        """Begin to watch. Returns after the first look, or after this many seconds."""
        self._thread.start()
        self._looked.wait(wait_seconds)

    def look_soon(self) -> None:
        """Look now rather than at the next interval. Any thread may call."""
        self._wanted.set()

    def stop(self, wait_seconds: float = 2.0) -> None:
        """Stop watching. A source that hangs is left to itself: its thread ends with the process."""
        self._ended = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def look(self) -> None:
        """Look once. Never raises."""
        try:
            found = self._source.look()
            if found is not None:
                changes = self._ring.replace(self._source.name, found)
                again, self._since = self._since is not None, self._now()
                if again and changes:
                    self._on_changes(changes)
            if self.problem:
                logger.info("keys of the %s: read again", self._source.name)
            self.problem = ""
            self._source.note_used(self._ring.grants(self._source.name))
        except Exception as error:
            problem = " ".join(str(error).split()) or type(error).__name__
            if problem != self.problem:
                logger.error("keys of the %s: %s; %s", self._source.name, problem, self._kept())  # noqa: TRY400
            self.problem = problem

    def state(self) -> tuple[PartState, str]:
        """Return how well this source is, for `/readyz`."""
        if self.problem:
            return PartState.DEGRADED, f"{self._source.name}: {self.problem}; {self._kept()}"
        return PartState.OK, f"{self._source.name}: {len(self._ring.grants(self._source.name))}"

    def _kept(self) -> str:
        if self._since is None:
            return "none of its keys holds"
        return f"the keys read at {wall_text(self._since)} hold"

    def _run(self) -> None:
        try:
            while not self._ended:
                self._wanted.clear()
                self.look()
                self._looked.set()
                self._wanted.wait(self._interval_seconds)
        finally:
            self._source.close()

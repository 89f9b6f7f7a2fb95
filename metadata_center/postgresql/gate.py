# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the accounts' database answers, as the running node knows it.

One thread, the keeper's (`metadata_center/accounts/keeper.py`), finds out. Threads that make pages ask first and are
turned away at once while it does not answer, so that none of them waits for what the keeper waits for. Any thread may
call; one lock guards the state.
"""

from __future__ import annotations

from threading import Event, Lock, get_ident

from runtime.health import PartState


class DatabaseGate:
    """Open while the database answers, and is migrated.

    `reason`: why it is closed, for people; empty if it is open.
    """

    def __init__(self) -> None:
        self.reason = "not looked at yet"
        self._lock = Lock()
        self._state = PartState.STARTING
        self._detail = ""
        self._keeper = 0
        self._wake = Event()
        self._known = Event()

    @property
    def is_open(self) -> bool:
        """Return whether pages may use the database."""
        return not self.reason

    def keep(self) -> None:
        """Make the calling thread the keeper's: the gate lets it through always."""
        self._keeper = get_ident()

    def admits(self) -> bool:
        """Return whether the calling thread may use the database."""
        return not self.reason or get_ident() == self._keeper

    def open(self, remark: str) -> None:
        """Let pages in. With a remark, what is not as it should be, the part is degraded."""
        with self._lock:
            self.reason = ""
            self._state, self._detail = (PartState.DEGRADED if remark else PartState.OK), remark
        self._known.set()

    def close(self, reason: str) -> None:
        """Turn pages away from now on."""
        with self._lock:
            self.reason = reason
            self._state, self._detail = PartState.DEGRADED, reason
        self._known.set()

    def report(self, reason: str) -> None:
        """Close, and have the keeper look at once. For threads that have just seen the database fail."""
        if get_ident() != self._keeper:
            self.close(reason)
            self._wake.set()

    def probe(self) -> tuple[PartState, str]:
        """Return the state and its detail, for `/readyz`."""
        with self._lock:
            return self._state, self._detail

    def wait_until_known(self, seconds: float) -> bool:
        """Wait until the keeper has looked for the first time. Returns whether it has."""
        return self._known.wait(seconds)

    def wait_for_report(self, seconds: float) -> None:
        """Wait for a report, or so long. For the keeper."""
        self._wake.wait(seconds)
        self._wake.clear()

    def wake(self) -> None:
        """End the keeper's wait."""
        self._wake.set()

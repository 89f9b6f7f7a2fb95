# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls and sockets that last, by who began them, so that they end when what let them in does. Owned by the loop.

Only those of callers with a key, a session or a certificate are here; strangers have nothing that could be revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.caller import Caller

End = Callable[[], None]
"""Ends a call or a socket. Called once at most, on the event loop."""


class Lasting:
    """What lasts. `begun` is how many there are."""

    def __init__(self) -> None:
        self._ends: dict[object, tuple[Caller, End]] = {}

    @property
    def begun(self) -> int:
        """How many calls and sockets of callers last now."""
        return len(self._ends)

    def begin(self, caller: Caller | None, end: End) -> Callable[[], None]:
        """Note something that lasts. Returns what is to be called when it is over by itself."""
        if caller is None:
            return _nothing
        place = object()
        self._ends[place] = caller, end
        return lambda: _forget(self._ends, place)

    @contextmanager
    def during(self, caller: Caller | None, end: End) -> Iterator[None]:
        """Note something that lasts as long as the context."""
        over = self.begin(caller, end)
        try:
            yield
        finally:
            over()

    def callers(self) -> Iterator[Caller]:
        """Yield who began what lasts now, once for each call and socket."""
        return (caller for caller, _ in self._ends.values())

    def end_without(self, holds: Callable[[Caller], bool]) -> int:
        """End what callers began who no longer hold. Returns how many that were. Each caller is judged once."""
        judged: dict[int, bool] = {}
        gone = []
        for place, (caller, _) in self._ends.items():
            held = judged.get(id(caller))
            if held is None:
                held = judged[id(caller)] = holds(caller)
            if not held:
                gone.append(place)
        for place in gone:
            found = self._ends.pop(place, None)
            if found is not None:
                found[1]()
        return len(gone)


def _forget(ends: dict[object, tuple[Caller, End]], place: object) -> None:
    ends.pop(place, None)


def _nothing() -> None:
    pass

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as a few lines of the plainest Python: what it must equal after any history. Written from the contract."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ModelRequest:
    """One request: its engine is None until it is added, `touched` is when the wait for its end began."""

    engine: tuple[str, str] | None
    length: int
    prefill: bool
    done: bool
    touched: int


@dataclass
class Model:
    """Requests by id, and when each listed engine was last used."""

    request_ticks: int
    tombstone_ticks: int
    requests: dict[str, ModelRequest] = field(default_factory=dict)
    used: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, request_id: str, engine: tuple[str, str], length: int, now: int) -> None:
        known = self.requests.get(request_id)
        if known is not None and known.engine is not None:
            return
        if known is None:
            known = self.requests[request_id] = ModelRequest(None, 0, prefill=True, done=False, touched=now)
        known.engine, known.length = engine, length
        if not known.done:
            known.touched = now
        self.used[engine] = now

    def first_token(self, request_id: str, now: int) -> None:
        self._move(request_id, now, done=False)

    def done(self, request_id: str, now: int) -> None:
        self._move(request_id, now, done=True)

    def _move(self, request_id: str, now: int, *, done: bool) -> None:
        known = self.requests.get(request_id)
        if known is None:
            self.requests[request_id] = ModelRequest(None, 0, prefill=False, done=done, touched=now)
            return
        if known.done or not (known.prefill or done):
            return
        known.prefill = False
        if done:
            known.done, known.touched = True, now
        if known.engine is not None:
            self.used[known.engine] = now

    def expire(self, now: int) -> None:
        for request_id, known in list(self.requests.items()):
            live = known.engine is not None and not known.done
            if now - known.touched >= (self.request_ticks if live else self.tombstone_ticks):
                if live:
                    known.done, known.prefill, known.touched = True, False, now
                else:
                    del self.requests[request_id]
        rows = self.rows()
        for engine, used in list(self.used.items()):
            if now - used >= self.request_ticks and rows[engine][0] == 0:
                del self.used[engine]

    def rows(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Requests in flight and prompt length by engine, summed anew."""
        rows = dict.fromkeys(self.used, (0, 0))
        for known in self.requests.values():
            if known.engine is not None and not known.done:
                queued, length = rows[known.engine]
                rows[known.engine] = (queued + 1, length + (known.length if known.prefill else 0))
        return rows

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node must show: the client's own count per engine, from the calls it made. Pure.

A call that failed may or may not have been carried out, so each number is a span `low..high`. It is a single number as
long as every call was answered, and is again once a later call settles the request. Always holds: an engine's span is
the sum of the spans of its requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .engines import ReplayEngine


@dataclass(slots=True)
class _Span:
    low: int = 0
    high: int = 0

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


@dataclass(slots=True)
class _Count:
    """The numbers of an engine or of one request."""

    queued: _Span = field(default_factory=_Span)
    prompt: _Span = field(default_factory=_Span)


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of one engine that differs from the client's count."""

    engine: str
    member: str
    expected: str
    shown: int


class Expectations:
    """The client's own count. `sure` says whether a call succeeded."""

    def __init__(self) -> None:
        self._engines: dict[str, _Count] = {}
        self._requests: dict[str, tuple[_Count, _Count]] = {}

    def added(self, request_id: str, engine: str, prompt_length: int, *, sure: bool) -> None:
        """Count a request's start."""
        total, own = self._engines.setdefault(engine, _Count()), _Count()
        self._requests[request_id] = total, own
        _move(total.queued, own.queued, 1 if sure else 0, 1)
        _move(total.prompt, own.prompt, prompt_length if sure else 0, prompt_length)

    def first_token(self, request_id: str, *, sure: bool) -> None:
        """Count a request's first token."""
        total, own = self._requests[request_id]
        _move(total.prompt, own.prompt, 0, 0 if sure else own.prompt.high)

    def done(self, request_id: str, *, sure: bool) -> None:
        """Count a request's end. If the call failed, the request stays open."""
        total, own = self._requests[request_id]
        _move(total.queued, own.queued, 0, 0 if sure else own.queued.high)
        _move(total.prompt, own.prompt, 0, 0 if sure else own.prompt.high)
        if sure:
            del self._requests[request_id]

    @property
    def open_requests(self) -> list[str]:
        """Return the ids that a node may still count."""
        return list(self._requests)

    def differences(self, rows: Iterable[ReplayEngine]) -> list[Difference]:
        """Return where a node's answer differs from the count. An engine that is not listed counts as zeros."""
        queued: Counter[str] = Counter()
        prompt: Counter[str] = Counter()
        for row in rows:
            queued[row.ip] += row.queued_req_num
            prompt[row.ip] += row.prompt_length
        found = []
        for engine in sorted({*queued, *self._engines}):
            expected = self._engines.get(engine) or _Count()
            for member, span, shown in (
                ("queued_req_num", expected.queued, queued[engine]),
                ("prompt_length", expected.prompt, prompt[engine]),
            ):
                if not span.low <= shown <= span.high:
                    found.append(Difference(engine, member, str(span), shown))
        return found


def _move(total: _Span, own: _Span, low: int, high: int) -> None:
    total.low += low - own.low
    total.high += high - own.high
    own.low, own.high = low, high

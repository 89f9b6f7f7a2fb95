# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Parts that the test plays: a clock it turns, a discovery it answers for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discovery.host import Host
from discovery.service import LookupFailed


class Clock:
    """Seconds, from a start that no test should depend on."""

    def __init__(self, seconds: float = 1_767_225_600.0) -> None:  # 2026-01-01
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


class FakeDiscovery:
    """Answers with hosts (`10.0.0.1`, `10.0.0.1:80`), with whatever else it is given, or by raising it."""

    def __init__(self) -> None:
        self.answer: Any = ()

    def hosts(self) -> Sequence[Host]:
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, tuple):
            return [Host.parse(host) if isinstance(host, str) else host for host in self.answer]
        return self.answer  # type: ignore[no-any-return]

    def fail(self, reason: str = "no answer") -> None:
        self.answer = LookupFailed(reason)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What one client's calls are counted on. Owned by the event loop.

A token bucket that costs a call one counter: the lane adds to `calls`, and only when that has reached `due` is the
clock looked at and the bucket refilled.
"""

from __future__ import annotations

QUANTUM = 16  # calls between two looks, at most


class Account:
    """One client's calls.

    `client`: its name.
    `calls`: how many it has made. Whoever serves one adds to it.
    `due`: at how many of them to look again.
    `refused`: calls beyond the limit.
    `spent`: it has had its share of this turn of the loop: its further calls wait for the next.
    """

    __slots__ = ("_at_ns", "_burst", "_counted", "_rate", "_tokens", "calls", "client", "due", "refused", "spent")

    def __init__(self, client: str, calls_per_second: int, now_ns: int) -> None:
        self.client = client
        self.calls = 0
        self.due = 1
        self.refused = 0
        self.spent = False
        self._rate = calls_per_second
        self._burst = float(calls_per_second)
        self._tokens = self._burst
        self._counted = 0  # of `calls`, at the last look
        self._at_ns = now_ns  # of the last look

    def look(self, now_ns: int) -> bool:
        """Count the calls since the last look. Returns whether the last of them is within the limit."""
        tokens = min(self._burst, self._tokens + (now_ns - self._at_ns) * 1e-9 * self._rate)
        tokens -= self.calls - self._counted
        self._at_ns = now_ns
        self._counted = self.calls
        if tokens < 0.0:
            self._tokens = tokens + 1.0  # what is refused is not charged, so that a client comes back within its limit
            self.due = self.calls + 1
            self.refused += 1
            return False
        self._tokens = tokens
        self.due = self.calls + max(1, min(QUANTUM, int(tokens)))
        return True

    def take_back(self) -> None:
        """Uncount the last call."""
        self.calls -= 1
        if self._counted > self.calls:
            self._counted = self.calls
            self._tokens += 1.0

    def full(self, now_ns: int) -> bool:
        """Return whether the bucket is full, so that nothing is lost when the account is forgotten."""
        tokens = self._tokens + (now_ns - self._at_ns) * 1e-9 * self._rate
        return tokens - (self.calls - self._counted) >= self._burst

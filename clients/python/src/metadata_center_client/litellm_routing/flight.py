# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One call to a router, from its beginning to its end: the attempt under way counts at the nodes, and no other.

A call may have several attempts: LiteLLM tries again, and falls back to other models. Nothing here raises or waits.
"""

from __future__ import annotations

from contextvars import ContextVar
from uuid import uuid4

from metadata_center_client.tracked import Sink, TrackedRequest

# The call that LiteLLM's hooks run for. Set around each piece of LiteLLM's code that may pick.
current_flight: ContextVar[Flight | None] = ContextVar("metadata_center_flight", default=None)


class Flight:
    """A call to a router.

    `attempt`: what is reported of the attempt under way; None between two.
    `was_sent`: whether that attempt has gone to its engine.
    `cluster`: of the last attempt.
    `failed`: names of engines that failed it. They are tried again only when no other is left.
    `over`: whether it has ended. What LiteLLM still does for it is not reported.
    """

    def __init__(self, sink: Sink) -> None:
        self.attempt: TrackedRequest | None = None
        self.was_sent = False
        self.cluster = ""
        self.failed: set[str] = set()
        self.over = False
        self._sink = sink
        self._name = uuid4().hex
        self._attempts = 0

    def begin(self, cluster: str) -> TrackedRequest:
        """Begin an attempt. The one before ends."""
        self.leave()
        self._attempts += 1
        self.cluster = cluster
        self.was_sent = False
        attempt = TrackedRequest(self._sink, cluster, f"{self._name}-{self._attempts}")
        if self.over:
            attempt.end()
        else:
            self.attempt = attempt
        return attempt

    def first_token(self) -> None:
        """Report the first token of the attempt under way."""
        if self.attempt is not None:
            self.attempt.first_token()

    def leave(self) -> None:
        """End the attempt under way; another one may follow."""
        if self.attempt is not None:
            self.attempt.end()
            self.attempt = None

    def fail(self) -> None:
        """End the attempt under way, as its engine failed it."""
        if self.attempt is not None:
            self.failed.add(self.attempt.engine)
        self.leave()

    def end(self) -> None:
        """End the call. Further calls have no effect."""
        self.over = True
        self.leave()

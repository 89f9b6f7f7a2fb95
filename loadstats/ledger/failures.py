# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How an engine has failed, from what gateways said of its requests' ends. Pure.

An engine that breaks fails at all that it has within a moment. That is one failure: only a request that was sent after
the last one, and ended with an error as well, is another. A request that was sent after the last failure, was answered
and ended without an error ends them all: the engine works again. Gateways that never report first tokens do not show
that, so after `FORGOTTEN_SECONDS` without a failure the next one is the first again.
"""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct

from loadstats.ledger.cause import FAILED, GATEWAY

FORGOTTEN_SECONDS: Final = 300
MAX_FAILURES: Final = 64


class Failures(Struct, frozen=True, gc=False):
    """An engine's failures since it last did well.

    `number`: how many in a row.
    `tick`: when the last one was.
    """

    number: int
    tick: int


class ListedEngine(Protocol):
    """An engine as a choice knows it: its place among the cluster's engines, when it was listed, and how it failed."""

    @property
    def index(self) -> int: ...

    @property
    def opened_tick(self) -> int: ...

    @property
    def failures(self) -> Failures | None: ...


def after_end(failures: Failures | None, cause: int, since_tick: int, tick: int, *, answered: bool) -> Failures | None:
    """Return an engine's failures after a request that was sent there at `since_tick` ended at `tick`.

    `cause`: why, a byte as in `cause.py`. Without its gateway's word the end says nothing of the engine.
    `answered`: its first token had come.
    """
    if failures is not None and since_tick <= failures.tick:
        return failures
    if cause == FAILED:
        known = 0 if failures is None or failures.tick + FORGOTTEN_SECONDS < tick else failures.number
        return Failures(min(known + 1, MAX_FAILURES), tick)
    return None if answered and cause == GATEWAY else failures

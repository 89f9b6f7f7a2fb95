# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Handlers whose work is too long to be done in one go: generators that `yield` where others may have their turn.

One generator serves both of a route's handlers, the plain one and the patient one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import wraps

from edge.call import Call, Handler

Work = Callable[[Call], Generator[None, None, bytes]]


def at_once(work: Work) -> Handler:
    """The handler that does all of it before anything else happens."""

    @wraps(work)
    def handler(call: Call) -> bytes:
        steps = work(call)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return bytes(done.value)

    return handler


def in_turns(work: Work) -> Callable[[Call], Awaitable[bytes]]:
    """The handler that gives the event loop a turn at each `yield`."""

    @wraps(work)
    async def handler(call: Call) -> bytes:
        steps = work(call)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return bytes(done.value)
            await asyncio.sleep(0)

    return handler

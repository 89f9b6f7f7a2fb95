# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Handlers that work in slices: generators that `yield` where other work may run. Without state.

One generator makes both of a route's handlers, the plain one and the async one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import wraps
from time import sleep
from typing import TypeVar

from edge.call import Call, Handler

T = TypeVar("T")
Work = Callable[[Call], Generator[None, None, bytes]]


def run_whole(work: Work) -> Handler:
    """Return a handler that runs all slices without a pause."""

    @wraps(work)
    def handler(call: Call) -> bytes:
        steps = work(call)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return bytes(done.value)

    return handler


def run_in_slices(work: Work) -> Callable[[Call], Awaitable[bytes]]:
    """Return an async handler that lets the event loop do other work at each `yield`."""

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


def finish(steps: Generator[None, None, T]) -> T:
    """Run all slices on a thread of Django's and return the result. Other threads may run between two of them."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        sleep(0)

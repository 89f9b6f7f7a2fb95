# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The doors before the profiling port. Called on the threads of its requests; keeps nothing.

A profile slows the node down, so getting one changes it: a page of another site may not, and others need what operators
need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.caller import Scope
from edge.doors import Doors
from edge.errors import ContractError

METHOD = b"PROFILE"  # no safe one


def profiling_guard(doors: Doors) -> Callable[[bytes, Sequence[tuple[bytes, bytes]], str], tuple[int, str] | None]:
    """Return what the profiling port asks: status and reason of a refusal, None to let a request in."""

    def refusal(target: bytes, fields: Sequence[tuple[bytes, bytes]], client: str) -> tuple[int, str] | None:
        problem = doors.head_fault(METHOD, fields, target=target)
        if problem is None:
            headers: dict[bytes, bytes] = {}
            for name, value in fields:
                headers.setdefault(name.lower(), value)
            try:
                doors.caller(Scope.OPERATE, headers, client)
            except ContractError as error:
                problem = error
        return None if problem is None else (problem.status, problem.reason)

    return refusal

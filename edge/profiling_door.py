# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The doors before the profiling port. Called on the threads of its requests; keeps nothing.

A profile slows the node down, so getting one changes it: a page of another site may not, and others need what operators
need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.audit import Audit
from edge.caller import Scope
from edge.doors import Doors
from edge.errors import ContractError

METHOD = b"PROFILE"  # no safe one
ACT = "profile"  # in the audit trail


def profiling_guard(
    doors: Doors, audit: Audit | None = None
) -> Callable[[bytes, Sequence[tuple[bytes, bytes]], str], tuple[int, str] | None]:
    """Return what the profiling port asks: status and reason of a refusal, None to let a request in.

    Both are written to `audit`, if there is one.
    """

    def refusal(target: bytes, fields: Sequence[tuple[bytes, bytes]], client: str) -> tuple[int, str] | None:
        caller = None
        problem = doors.head_fault(METHOD, fields, target=target)
        if problem is None:
            headers: dict[bytes, bytes] = {}
            for name, value in fields:
                headers.setdefault(name.lower(), value)
            try:
                caller = doors.caller(Scope.OPERATE, headers, client)
            except ContractError as error:
                problem = error
        what = {"target": target.decode("latin-1")}
        who = caller.name if caller is not None else f"address {client or 'unknown'}"
        if problem is None:
            if audit is not None:
                audit.record(ACT, who, client, what)
            return None
        if audit is not None:
            audit.refused(ACT, who, client, {**what, "reason": problem.reason})
        return problem.status, problem.reason

    return refusal

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane answers to a request that it does not serve: made, counted and logged. On the event loop."""

from __future__ import annotations

from time import perf_counter_ns, time_ns

from edge.answer_bytes import answer_saying
from edge.call import Call, Route
from edge.errors import ContractError, TooMany
from edge.lane_state import LaneState


def excess_answer(
    shared: LaneState,
    route: Route | None,
    problem: TooMany,
    trace_header: bytes | None,
    method: bytes,
    client: str,
    started_ns: int,
    *,
    keep: bool,
    bodiless: bool,
) -> bytes:
    """Return the answer to a call beyond its client's limit.

    `route`: None for a path that no route has.
    `client`: the address.
    `started_ns`: when the call's head was complete, by `perf_counter_ns`.
    `keep`: the connection stays open.
    `bodiless`: the answer is to `HEAD`.
    """
    dispatcher = shared.dispatcher
    trace_id = dispatcher.trace_ids.of(trace_header)
    status, answer = dispatcher.refuse(problem, trace_id)
    duration_ns = perf_counter_ns() - started_ns
    wall_ns = time_ns() - duration_ns
    if route is not None:
        call = Call(b"", b"", {}, client=client, reason=problem.reason)
        dispatcher.finish(route, call, trace_id, status, wall_ns, duration_ns)
    else:
        dispatcher.finish_other(
            trace_id,
            status,
            method=method.decode("latin-1"),
            route=None,
            client=client,
            reason=problem.reason,
            wall_ns=wall_ns,
            duration_ns=duration_ns,
        )
    start = shared.start(status, problem.retry_seconds)
    return answer_saying(start, trace_id, b"" if bodiless else answer, len(answer), keep=keep)


def last_answer(shared: LaneState, problem: ContractError, client: str) -> bytes:
    """Return the answer after which nothing more is read. What was asked may not be known, so it has a fresh id."""
    dispatcher = shared.dispatcher
    trace_id = dispatcher.trace_ids.fresh()
    status, answer = dispatcher.refuse(problem, trace_id)
    dispatcher.finish_other(
        trace_id, status, method="other", route=None, client=client, reason=problem.reason, wall_ns=time_ns()
    )
    return answer_saying(shared.start(status), trace_id, answer, len(answer), keep=False)

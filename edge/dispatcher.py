# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The edge: the one place where a handler is called, its errors become answers, and both are counted and logged.

Every door uses it. `serve` may run on any thread; `finish` belongs to the event loop, as do the routes' meters.
"""

from __future__ import annotations

import logging
from typing import Protocol

from edge import envelope
from edge.audit import Audit
from edge.call import AsyncHandler, Call, NotModified, Route, Table
from edge.caller import Scope
from edge.client import client_of
from edge.domains import Domains
from edge.doors import Doors
from edge.envelope import OK, TraceIds, trace_text
from edge.errors import ContractError, InternalError, NoPlace, TooMany, Unavailable
from edge.quotas import CAPS, Quotas
from runtime.config.schema import QuotasSettings
from runtime.metrics.meter import PageMeters

logger = logging.getLogger("edge")

_OPERATE = Scope.OPERATE
_NOT_ALLOWED = frozenset({401, 403})


class AccessRecorder(Protocol):
    """Takes a line for each answered request.

    `enabled`: whether lines are wanted at all.
    """

    enabled: bool

    def record(
        self,
        wall_ns: int,
        trace_id: str,
        request_id: str,
        method: str,
        route: str,
        status: int,
        duration_ns: int,
        client: str = "",
        reason: str = "",
    ) -> None: ...

    def flush(self) -> None: ...


class Dispatcher:
    """Serves the table's routes for all doors.

    `table`: the routes.
    `trace_ids`: makes and checks trace ids.
    `access`: the access log; None if there is none.
    `audit`: the audit trail; None if there is none. Each call that needs `Scope.OPERATE` is written there.
    `quotas`: what each client takes, and may.
    `pages`: counts of what no route of the table answered.
    `domains`: counts by the `domain` query parameter.
    `doors`: decides who may call what.
    `closed`: clients' calls are refused. Those of other nodes are served on.
    """

    def __init__(
        self,
        table: Table,
        trace_ids: TraceIds,
        access: AccessRecorder | None = None,
        *,
        doors: Doors | None = None,
        audit: Audit | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.table = table
        self.doors = Doors() if doors is None else doors
        self.trace_ids = trace_ids
        self.access = access
        self.audit = audit
        self.quotas = Quotas(QuotasSettings()) if quotas is None else quotas
        self.pages = PageMeters()
        self.domains = Domains()
        self.closed = False

    def close(self) -> None:
        """Refuse every client's call from now on, with 503. What is being served is served to its end."""
        self.closed = True

    def serve(self, route: Route, call: Call, trace_id: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a call, if the doors let it in. Never raises."""
        try:
            self.doors.admit(route, call)
        except Exception as problem:
            return self._other(route, call, problem, trace_id)
        return self.serve_admitted(route, call, trace_id)

    def serve_admitted(
        self, route: Route, call: Call, trace_id: bytes, trace_json: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return the same for a call that is let in already. Never raises.

        `trace_json`: the trace id as `envelope.json_text` makes it, from a caller that has it.
        """
        if self.closed and not route.internal:
            return self.refuse_stopping(trace_id)
        try:
            data = route.handler(call)
        except Exception as problem:
            return self._other(route, call, problem, trace_id)
        if route.scope is _OPERATE or call.acts or call.refused is not None:
            self._operated(route, call, data, trace_id)
        if route.internal:
            return 200, data
        return 200, OK % (data, envelope.json_text(trace_id) if trace_json is None else trace_json)

    async def serve_async(
        self, async_handler: AsyncHandler, route: Route, call: Call, trace_id: bytes
    ) -> tuple[int, bytes]:
        """Return the same as `serve` from a route's `async_handler`. Runs on the event loop."""
        if self.closed and not route.internal:
            return self.refuse_stopping(trace_id)
        try:
            self.doors.admit(route, call)
            if async_handler.idle:
                with self.quotas.waits.place(client_of(call)):
                    data = await async_handler.handler(call)
            else:
                data = await async_handler.handler(call)
        except Exception as problem:
            return self._other(route, call, problem, trace_id)
        if route.scope is _OPERATE or call.acts or call.refused is not None:
            self._operated(route, call, data, trace_id)
        return 200, data if route.internal else envelope.ok(data, envelope.json_text(trace_id))

    def _other(self, route: Route, call: Call, problem: Exception, trace_id: bytes) -> tuple[int, bytes]:
        """Return status and body of any answer but a 200."""
        if isinstance(problem, ContractError):
            call.reason = problem.reason
            call.retry_seconds = problem.retry_seconds
            if self.audit is not None and route.operates and problem.status in _NOT_ALLOWED:
                self.audit.call_refused(route, call, trace_id, problem)
            if isinstance(problem, TooMany) and not isinstance(problem, NoPlace):
                self.quotas.note_refusal(CAPS, client_of(call), problem.reason)
            return self.refuse(problem, trace_id)
        if isinstance(problem, NotModified):
            return 304, b""
        logger.error("%s %s failed, trace id %s", route.method, route.path, trace_text(trace_id), exc_info=problem)
        if self.audit is not None and (route.scope is _OPERATE or call.acts):
            self.audit.call_failed(route, call, trace_id)
        failed = InternalError("the log has the cause, under this trace id")
        call.reason = failed.reason
        return self.refuse(failed, trace_id)

    def refuse_head(
        self, route: Route | None, call: Call, problem: ContractError, trace_id: bytes
    ) -> tuple[int, bytes]:
        """Return status and body for a call that the doors refused for its head. `route` is what it was for."""
        call.reason = problem.reason
        if self.audit is not None and route is not None and route.operates:
            self.audit.call_refused(route, call, trace_id, problem)
        return self.refuse(problem, trace_id)

    def _operated(self, route: Route, call: Call, data: bytes, trace_id: bytes) -> None:
        if self.audit is None:
            return
        if call.refused is not None:
            self.audit.parts_refused(route, call, trace_id, call.refused)
        if call.acts or (route.scope is _OPERATE and route.method != "GET"):  # a look changes nothing
            self.audit.call_done(route, call, trace_id, b"" if route.internal else data)

    @staticmethod
    def refuse(problem: ContractError, trace_id: bytes) -> tuple[int, bytes]:
        """Return status and body of an error."""
        return problem.status, envelope.error(problem, envelope.json_text(trace_id))

    def refuse_stopping(self, trace_id: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a client of a closed node."""
        return self.refuse(Unavailable("this node stops: call another one"), trace_id)

    def flush(self) -> None:
        """Write the access lines gathered so far. The lane's server does so ten times a second."""
        if self.access is not None:
            self.access.flush()

    def finish(self, route: Route, call: Call, trace_id: bytes, status: int, wall_ns: int, duration_ns: int) -> None:
        """Count and log an answer once it is written."""
        route.meter.record(status, duration_ns)
        if call.query and call.query.partition(b"domain=")[1]:  # `in` takes 0.2 µs more: it tries the bytes as a number
            self.domains.count(call.query)
        access = self.access
        if access is not None and access.enabled and not route.internal:  # pushes of peers would drown the rest
            access.record(
                wall_ns,
                trace_id.decode() if trace_id.isascii() else trace_text(trace_id),
                call.request_id,
                route.method,
                route.path,
                status,
                duration_ns,
                call.client,
                call.reason,
            )

    def finish_other(
        self,
        trace_id: bytes,
        status: int,
        *,
        method: str,
        route: str | None,
        client: str,
        reason: str,
        wall_ns: int,
        duration_ns: int = 0,
        request_id: str = "",
    ) -> None:
        """Count and log an answer that no route of the table gave. `route` is None for a path that is not known."""
        self.pages.record(method, route, status, duration_ns)
        access = self.access
        if access is not None and access.enabled:
            text = trace_text(trace_id)
            access.record(wall_ns, text, request_id, method, route or "other", status, duration_ns, client, reason)

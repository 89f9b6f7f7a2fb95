# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handler of `GET /v1/events`. Called on the event loop or on Django's threads; keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import dropwhile, islice
from time import monotonic, time_ns
from typing import Final

import msgspec
from msgspec import UnsetType, ValidationError, convert

from edge.call import Call, Route, query_value
from edge.caller import Scope
from edge.errors import InvalidInput, NotFound
from metadata_center.notices.selection import selected
from metadata_center.notices.wire import EventQuery, NodeEvent, NodeEvents
from runtime.notices.kind import Kind, Severity
from runtime.notices.log import NoticeLog
from runtime.notices.notice import Notice

EVENTS: Final = "/v1/events"
_CHOICES: Final = {"kind": tuple(Kind), "severity": tuple(Severity)}
_MEMBERS: Final = tuple((name, name.encode()) for name in EventQuery.__struct_fields__)


class NoticeHandlers:
    """Handlers over one node's log.

    `now` returns the log's monotonic seconds, `wall_ns` wall-clock nanoseconds.
    """

    def __init__(
        self,
        log: NoticeLog,
        *,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._log = log
        self._now = now
        self._wall_ns = wall_ns

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (Route("GET", EVENTS, self.events, scope=Scope.READ),)

    def events(self, call: Call) -> bytes:
        """`GET /v1/events`: what happened on the nodes that matters, the newest first.

        All nodes answer the same within seconds. What repeats is one event with a count, so it moves to the front. A
        caller whose key names clusters gets the events of those alone. 404 if `after` is no longer kept.
        """
        query = _read(call.query)
        now, wall_ns = self._now(), self._wall_ns()
        notices = self._log.newest_first()
        if not isinstance(after := query.after, UnsetType):
            behind = dropwhile(lambda each: each.id != after, notices)
            if next(behind, None) is None:
                raise NotFound("after: this event is no longer kept")
            notices = tuple(behind)
        found = list(islice(selected(notices, query, call.caller, now), query.limit + 1))
        shown = found[: query.limit]
        next_ = shown[-1].id if len(found) > len(shown) else ""
        return msgspec.json.encode(NodeEvents([_shown(each, now, wall_ns) for each in shown], next_))


def _read(query: bytes) -> EventQuery:
    values = {name: value for name, key in _MEMBERS if (value := query_value(query, key)) is not None}
    try:
        return convert(values, EventQuery, strict=False)
    except ValidationError as error:
        text, _, place = str(error).partition(" - at `$.")
        if (choices := _CHOICES.get(place.rstrip("`"))) is not None:
            text = f"expected one of {', '.join(choices)}"
        raise InvalidInput(f"{place.rstrip('`')}: {text[:1].lower()}{text[1:]}") from None


def _shown(notice: Notice, now: float, wall_ns: int) -> NodeEvent:
    subject = notice.subject
    return NodeEvent(
        notice.id,
        notice.kind,
        notice.severity,
        notice.node,
        wall_ns - int((now - notice.at) * 1e9),
        wall_ns - int((now - notice.first_at) * 1e9),
        notice.times,
        subject.cluster,
        subject.engine,
        subject.gateway,
        subject.peer,
        subject.item,
        notice.text,
    )

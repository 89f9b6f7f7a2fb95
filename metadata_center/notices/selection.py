# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which notices a reader gets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import UnsetType

from edge.caller import Caller
from metadata_center.notices.wire import EventQuery
from runtime.notices.kind import SEEN_BY_ALL, Kind, Severity
from runtime.notices.notice import Notice, Subject

SAME_SECONDS: Final = 15.0
"""What several nodes noticed within so long is one thing."""


def selected(notices: Iterable[Notice], query: EventQuery, caller: Caller | None, now: float) -> Iterator[Notice]:
    """Yield the notices that pass a query and that its caller may see, in their order, which is the newest first."""
    passes = _filter(query, now)
    limited = caller is not None and bool(caller.clusters)
    for notice in _once(notices):
        if not passes(notice):
            continue
        if limited and not (notice.subject.cluster and caller is not None and caller.may_name(notice.subject.cluster)):
            continue
        yield notice


def _once(notices: Iterable[Notice]) -> Iterator[Notice]:
    """Leave out what a later notice of another node says already, of the kinds that each node notices by itself."""
    shown: dict[tuple[Kind, Severity, Subject], Notice] = {}
    for notice in notices:
        if notice.kind in SEEN_BY_ALL:
            likeness = notice.kind, notice.severity, notice.subject
            later = shown.get(likeness)
            if later is not None and later.node != notice.node and later.at - notice.at <= SAME_SECONDS:
                continue
            shown[likeness] = notice
        yield notice


def _filter(query: EventQuery, now: float) -> Callable[[Notice], bool]:
    oldest = None if isinstance(query.age, UnsetType) else now - query.age
    rank, words = query.severity.rank, query.text.casefold()

    def passes(notice: Notice) -> bool:
        return (
            notice.severity.rank >= rank
            and (isinstance(query.kind, UnsetType) or notice.kind is query.kind)
            and (isinstance(query.node, UnsetType) or notice.node == query.node)
            and (isinstance(query.cluster, UnsetType) or notice.subject.cluster == query.cluster)
            and (oldest is None or notice.at >= oldest)
            and (not words or words in _said(notice))
        )

    return passes


def _said(notice: Notice) -> str:
    subject = notice.subject
    names = (subject.cluster, subject.engine, subject.gateway, subject.peer, subject.item)
    return "\n".join((notice.text, notice.node, notice.kind, *filter(None, names))).casefold()

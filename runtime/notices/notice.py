# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One notice, and its copy as it travels. Immutable; pure.

Ages travel, not clock readings: what two nodes' clocks differ by does not matter.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from runtime.logs.formats import one_line
from runtime.notices.kind import Kind, Severity

LONGEST_NAME: Final = 256
LONGEST_TEXT: Final = 400
LONGEST_ORIGIN: Final = 320
MOST_TIMES: Final = 2**53
LARGEST_NUMBER: Final = 2**53
OLDEST_MS: Final = 10 * 365 * 86_400_000
FIXED_BYTES: Final = 400
"""What a notice takes in memory beside its texts."""

OriginText = Annotated[str, Meta(min_length=1, max_length=LONGEST_ORIGIN)]
Number = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]
NameText = Annotated[str, Meta(max_length=LONGEST_NAME)]
AgeMs = Annotated[int, Meta(ge=0, le=OLDEST_MS)]


class Subject(Struct, frozen=True):
    """What a notice is about. A member that does not apply is empty.

    `cluster`, `engine`, `gateway`, `peer`: by name.
    `item`: anything else: a task, a cap, a client.
    """

    cluster: str = ""
    engine: str = ""
    gateway: str = ""
    peer: str = ""
    item: str = ""


class Notice(Struct, frozen=True):
    """One thing that happened, once or several times.

    `origin`: the life of the node that reported it.
    `number`: which of that life's notices it is. Both together are its id.
    `revision`: grows with each change of one of the origin's notices; this one's as of its last change.
    `node`: the node that reported it.
    `at`: when it happened last, in this process's monotonic seconds.
    `first_at`: when it happened first.
    `times`: how often it happened.
    `text`: what happened the last time, for people.
    """

    origin: str
    number: int
    revision: int
    kind: Kind
    severity: Severity
    node: str
    at: float
    first_at: float
    times: int
    subject: Subject
    text: str

    @property
    def id(self) -> str:
        """Return what tells it from every other notice."""
        return f"{self.origin}:{self.number}"

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        subject = self.subject
        texts = (subject.cluster, subject.engine, subject.gateway, subject.peer, subject.item, self.text, self.node)
        return FIXED_BYTES + sum(len(text.encode()) for text in texts)


class NoticeCopy(Struct, frozen=True, array_like=True):
    """A notice as it travels between nodes, and lies in a snapshot. Each member is bounded.

    `kind`, `severity`: as text, since a node of a later release knows more of them.
    `age_ms`, `first_age_ms`: how long ago it happened last, and first.
    """

    origin: OriginText
    number: Number
    revision: Number
    kind: Annotated[str, Meta(max_length=32)]
    severity: Annotated[str, Meta(max_length=16)]
    node: NameText
    age_ms: AgeMs
    first_age_ms: AgeMs
    times: Annotated[int, Meta(ge=1, le=MOST_TIMES)]
    cluster: NameText
    engine: NameText
    gateway: NameText
    peer: NameText
    item: NameText
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)]


def copy_of(notice: Notice, now: float) -> NoticeCopy:
    """Return a notice as it travels. `now` in monotonic seconds."""
    subject = notice.subject
    return NoticeCopy(
        notice.origin,
        notice.number,
        notice.revision,
        notice.kind,
        notice.severity,
        notice.node,
        _age_ms(notice.at, now),
        _age_ms(notice.first_at, now),
        notice.times,
        subject.cluster,
        subject.engine,
        subject.gateway,
        subject.peer,
        subject.item,
        notice.text,
    )


def notice_of(copy: NoticeCopy, now: float) -> Notice | None:
    """Return the notice that a copy stands for; None if its kind or severity is of a later release."""
    try:
        kind, severity = Kind(copy.kind), Severity(copy.severity)
    except ValueError:
        return None
    at = now - copy.age_ms / 1000
    names = (copy.cluster, copy.engine, copy.gateway, copy.peer, copy.item)
    return Notice(
        copy.origin,
        copy.number,
        copy.revision,
        kind,
        severity,
        name_text(copy.node),
        at,
        min(at, now - copy.first_age_ms / 1000),
        copy.times,
        Subject(*map(name_text, names)),
        line_text(copy.text),
    )


def name_text(text: str) -> str:
    """Return a name as it is kept: cut, and such that UTF-8 can write it."""
    return text[:LONGEST_NAME].encode("utf-8", "replace").decode()


def line_text(text: str) -> str:
    """Return a text as it is kept: one printable line, cut."""
    return one_line(text[:LONGEST_TEXT])[:LONGEST_TEXT]


def _age_ms(at: float, now: float) -> int:
    return min(OLDEST_MS, max(0, int((now - at) * 1000)))

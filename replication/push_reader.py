# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a push: at once where all of it is well, else event by event. Pure.

A peer repeats a push until it is acknowledged. So one event that cannot be read must not refuse the others, or nothing
of that peer would ever be taken again. It is left out, and its number is kept by an event that changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

from msgspec import DecodeError, Meta, Raw, Struct, ValidationError
from msgspec.msgpack import Decoder

from replication.entities import Event, Number, OriginName
from replication.features import NOTHING
from replication.messages import MAX_EVENTS, Push

UNREADABLE: Final = (ValidationError, DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no such message."""


class _RawPush(Struct, frozen=True, array_like=True):
    """A push whose events are not read yet."""

    version: int
    origin: OriginName
    first: Number
    oldest: Number
    age_ms: Number
    events: Annotated[list[Raw], Meta(max_length=MAX_EVENTS)]
    later_seconds: Annotated[list[Number], Meta(max_length=MAX_EVENTS)] = []


class PushRead(NamedTuple):
    """A push as it was read.

    `push`: the push, with `NOTHING` for each event that could not be read.
    `unread`: why those could not be, by their index.
    """

    push: Push
    unread: dict[int, str]


class PushReader:
    """Reads pushes of any release."""

    def __init__(self) -> None:
        self._read: Any = Decoder(Push).decode
        self._read_raw: Any = Decoder(_RawPush).decode
        self._read_event: Any = Decoder(Event).decode

    def read(self, body: bytes) -> PushRead:
        """Return the push. Raises one of `UNREADABLE` if what is around its events cannot be read."""
        try:
            return PushRead(self._read(body), {})
        except UNREADABLE:
            return self._read_one_by_one(body)

    def _read_one_by_one(self, body: bytes) -> PushRead:
        raw = self._read_raw(body)
        events: list[Event] = []
        unread: dict[int, str] = {}
        for index, each in enumerate(raw.events):
            try:
                events.append(self._read_event(each))
            except UNREADABLE as error:
                events.append(NOTHING)
                unread[index] = str(error) or type(error).__name__
        push = Push(raw.version, raw.origin, raw.first, raw.oldest, raw.age_ms, events, raw.later_seconds)
        return PushRead(push, unread)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps nodes that fell silent from being forgotten with the log. Owned by the event loop.

A node that is cut off may live and take calls. What it announced stands in the log server until it has said goodbye or
was silent for long, so that all know that they may not know its events: nodes that start later, too. Where the log
server has lost that, a node that knows it puts it back: from its own roster, or from what its former life kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import DecodeError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from replication.entities import OriginName
from replication.log.announcement import Text
from replication.log.roster import Roster
from replication.log.server import LogServer, LogStanding

logger = logging.getLogger("replication.log")

FORMAT: Final = 1


class KnownNodes(Struct, frozen=True, array_like=True):
    """The other nodes that a life knew of and that had not said goodbye.

    `format`: the version of this description.
    `generation`: of the log in which they announced themselves.
    `announcements`: by origin, as they stood in the log server.
    """

    format: int
    generation: Text
    announcements: dict[OriginName, bytes]


_decode = Decoder(KnownNodes).decode
_encode = Encoder().encode


class SilentNodes:
    """What is to be put back.

    `keep` keeps bytes for this node's next life; it gets them whenever other nodes come or go.
    """

    def __init__(self, server: LogServer, roster: Roster, keep: Callable[[bytes], None]) -> None:
        self._server = server
        self._roster = roster
        self._keep = keep
        self._kept: tuple[str, frozenset[str]] | None = None
        self._recalled: KnownNodes | None = None
        self._owed: dict[str, bytes] = {}

    def recall(self, body: bytes) -> None:
        """Take what the former life of this node kept."""
        try:
            known = _decode(body)
        except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
            logger.warning("which nodes there were is not to be read: %s", error)
            return
        if known.format == FORMAT:
            self._recalled = known

    def log_was_lost(self) -> None:
        """Note that another generation of the log began."""
        self._owed.update({known.latest.origin: known.body for known in self._roster.all()})

    async def put_back(self, standing: LogStanding) -> Mapping[str, bytes]:
        """Put back what is lost. Returns all that nodes announced. Raises LogError, and tries again the next time."""
        if self._recalled is not None:
            recalled, self._recalled = self._recalled, None
            if recalled.generation != standing.generation:  # else the log server knows better who has left
                self._owed = {**recalled.announcements, **self._owed}
        announcements = {**self._owed, **standing.announcements}
        for origin in list(self._owed):
            if origin not in standing.announcements:
                await self._server.announce(origin, self._owed[origin], None)
            del self._owed[origin]
        return announcements

    def note(self, generation: str) -> None:
        """Keep who is there for the next life, if that has changed."""
        known = {each.latest.origin: each.body for each in self._roster.all()}
        if self._kept != (now := (generation, frozenset(known))):
            self._kept = now
            self._keep(_encode(KnownNodes(FORMAT, generation, known)))

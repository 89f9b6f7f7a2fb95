# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads replies of the log server. Pure. Raises LogRefused for a reply of another shape than the log's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from replication.log.server import Entry, LogRefused, LogStanding, Position, ServerFacts, SnapshotPointer

_FOREIGN = "a key of the log holds another program's data: choose another [Replication] LogName"


def read_position(text: bytes) -> Position:
    """Return the position that the id of an entry stands for."""
    ms, _, number = text.partition(b"-")
    return Position(int(ms), int(number))


def read_entries(reply: Any) -> list[Entry]:
    """Return the entries in a reply to XREAD."""
    if not reply:
        return []
    return [Entry(read_position(each[0]), _body(each[1])) for each in reply[0][1]]


def read_standing(reply: Any, *, asked: bool) -> LogStanding:
    """Return what the script ANNOUNCE says. `asked`: whether it looked for an entry."""
    now, generation, first, last, length, own, announcements, pointer, writer = reply
    return LogStanding(
        now_ms=now,
        generation=_text(generation),
        first=None if first is None else read_position(first),
        last=None if last is None else read_position(last),
        length=length,
        own_there=bool(own) or not asked,
        announcements={_text(name): body for name, body in _pairs(announcements).items()},
        pointer=read_pointer(pointer),
        writer=_text(writer),
    )


def read_pointer(flat: Any) -> SnapshotPointer | None:
    """Return the pointer to the latest snapshot, None if there is none."""
    fields = _pairs(flat)
    if not fields:
        return None
    try:
        return SnapshotPointer(
            generation=_text(fields[b"generation"]),
            snapshot=_text(fields[b"id"]),
            position=read_position(fields[b"position"]),
            slices=int(fields[b"slices"]),
            bytes=int(fields[b"bytes"]),
            written_ms=int(fields[b"written_ms"]),
            cold=fields[b"cold"] == b"1",
        )
    except (KeyError, ValueError):
        raise LogRefused(_FOREIGN) from None


def read_facts(info: bytes, settings: Any, version: str) -> ServerFacts:
    """Return what INFO says, and CONFIG where it may be read."""
    lines = dict(re.findall(r"^(\w+):(.*?)\r?$", info.decode(errors="replace"), re.MULTILINE))
    shown = {_text(name): _text(value) for name, value in _pairs(settings).items()}
    if lines.get("aof_enabled") == "1":
        persistence = f"append-only file, fsync {shown.get('appendfsync', 'not known')}"
    elif shown.get("save"):
        persistence = f"snapshots, save {shown['save']}"
    else:
        persistence = "none" if shown else "not known"
    return ServerFacts(
        version=version,
        policy=lines.get("maxmemory_policy", ""),
        used_bytes=int(lines.get("used_memory", "0")),
        most_bytes=int(lines.get("maxmemory", "0")),
        persistence=persistence,
    )


def _body(fields: Any) -> bytes:
    if len(fields) != 2 or fields[0] != b"b":
        raise LogRefused(_FOREIGN)
    return bytes(fields[1])


def _pairs(flat: Any) -> Mapping[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(found: bytes | None) -> str:
    return found.decode("utf-8", "replace") if found else ""

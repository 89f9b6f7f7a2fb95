# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The effective configuration for people: every member, its value and its source. Pure."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

from msgspec import Struct

from runtime.config.durations import format_duration
from runtime.config.loaded import Loaded
from runtime.config.member import SECRETS, Member, members, plain
from runtime.config.schema import Config


class EffectiveValue(Struct, frozen=True):
    """A member of the configuration as people read it.

    `section`, `key`: its name in files.
    `value`: written as in TOML; a secret is masked.
    `source`: where it came from.
    """

    section: str
    key: str
    value: str
    source: str


def entries(loaded: Loaded) -> list[EffectiveValue]:
    """Return every member, in the schema's order."""
    values = plain(loaded.config)
    found = []
    for member in members():
        text = _written(member, values[member.section][member.key])
        found.append(EffectiveValue(member.section, member.key, text, loaded.sources[member.path]))
    return found


def differences(config: Config, other: Config) -> dict[str, str]:
    """Return the members in which a configuration differs from another one, as `HTTP.Port`, with their values.

    Values are as in TOML, secrets masked.
    """
    values, others = plain(config), plain(other)
    changed = [each for each in members() if values[each.section][each.key] != others[each.section][each.key]]
    return {member.path: _written(member, values[member.section][member.key]) for member in changed}


def render(loaded: Loaded) -> str:
    """Return one line per member and a blank line between sections, then the notes.

    Values are as in TOML, secrets masked.
    """
    lines = [(each, f"[{each.section}] {each.key} = {each.value}") for each in entries(loaded)]
    width = max(len(line) for _, line in lines)
    sections = [
        "\n".join(f"{line:{width}}    # {each.source}" for each, line in section)
        for _, section in groupby(lines, key=lambda line: line[0].section)
    ]
    return "\n\n".join([*sections, *(f"# {note}" for note in loaded.notes)])


def _written(member: Member, value: Any) -> str:
    return json.dumps(format_duration(value) if member.is_duration else _masked(member, value), ensure_ascii=False)


def _masked(member: Member, value: Any) -> Any:
    if member.path not in SECRETS or not value:
        return value
    # Of the URL of a broker, a log server or a database: user and password, and the query, which may hold a password.
    # All of it if an @ or ? makes it unclear where the password ends.
    url = re.fullmatch(r"(\w[\w+.-]*://)([^?]*@)?([^?@]*)(\?[^@]*)?", value)
    if member.path not in ("Celery.Broker", "Replication.Log", "Web.Database") or not url:
        return "***"
    return url[1] + ("***@" if url[2] else "") + url[3] + ("?***" if url[4] else "")

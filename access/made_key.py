# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes keys: checks what is asked for, stores the digest, and returns the key, which is stored nowhere.

For the command line and the admin, on their threads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction

from access.grant import MAX_GLOBS, cluster_fault, name_fault, scope_fault
from access.key_text import digest_of, hint_of, new_key
from access.models import AccessKey
from edge.caller import Scope
from runtime.config.durations import parse_duration
from runtime.config.error import shown

_SPAN = re.compile(r"([0-9]{1,6})([dw])")
_DAYS = {"d": 1, "w": 7}
EXPIRES_RULE = "expected a time to live, such as 12h, 30d or 8w, or a time with its zone, such as 2027-01-31T00:00:00Z"


class WrongKey(ValueError):
    """What is asked of a key can't be. `member` is what is wrong: name, scope, cluster or expires."""

    def __init__(self, member: str, text: str) -> None:
        super().__init__(f"{member}: {text}")
        self.member = member
        self.text = text


def checked_name(name: str) -> str:
    """Return the name. Raises WrongKey."""
    if problem := name_fault(name):
        raise WrongKey("name", problem)
    return name


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes, each once and in their order. Raises WrongKey."""
    asked = set()
    for scope in scopes:
        if problem := scope_fault(scope):
            raise WrongKey("scope", problem)
        asked.add(scope)
    if not asked:
        raise WrongKey("scope", "expected at least one")
    return [each.value for each in Scope if each.value in asked]


def checked_clusters(globs: Iterable[str]) -> list[str]:
    """Return the globs, each once. Raises WrongKey."""
    found = list(dict.fromkeys(globs))
    for glob in found:
        if problem := cluster_fault(glob):
            raise WrongKey("cluster", problem)
    if len(found) > MAX_GLOBS:
        raise WrongKey("cluster", f"expected at most {MAX_GLOBS}, got {len(found)}")
    return found


def end_of(text: str, now: datetime) -> datetime:
    """Return when a key ends whose expiry is written so. Raises WrongKey."""
    try:
        if match := _SPAN.fullmatch(text):
            end = now + timedelta(days=int(match[1]) * _DAYS[match[2]])
        elif text[:1].isdigit() and "-" in text:
            end = datetime.fromisoformat(text)
        else:
            end = now + timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        raise WrongKey("expires", f"{EXPIRES_RULE}, got {shown(text)}") from None
    if end.tzinfo is None:
        raise WrongKey("expires", f"{EXPIRES_RULE}, got {shown(text)}")
    if end <= now:
        raise WrongKey("expires", f"expected a time in the future, got {shown(text)}")
    return end.astimezone(UTC)


def make_key(
    name: str, scopes: Iterable[str], clusters: Iterable[str], expires_at: datetime | None, maker: str
) -> tuple[AccessKey, str]:
    """Store a new key in the database. Returns its row and the key. Raises WrongKey and django.db.Error."""
    key = new_key()
    row = AccessKey(
        name=checked_name(name),
        digest=digest_of(key.encode()).hex(),
        hint=hint_of(key),
        scopes=checked_scopes(scopes),
        clusters=checked_clusters(clusters),
        expires_at=expires_at,
        created_by=maker,
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise WrongKey("name", f"{name} is in use: revoke that key first, or take another name") from None
    return row, key

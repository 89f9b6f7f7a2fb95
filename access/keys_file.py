# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The file of `[Auth] KeysFile`: read into grants, or refused with the line that is wrong. Pure but for `read`.

It is TOML, one table for each key (`docs/keys.md` describes it):

    [[key]]
    name = "gateway-eu"
    sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbd62a11ef721d1542d8"
    scopes = ["read", "write"]
    clusters = ["prod-*"]
    expires = 2027-01-31T00:00:00Z
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access.grant import MAX_GLOBS, Grant, cluster_fault, grant, name_fault, scope_fault
from runtime.config.error import ConfigError, did_you_mean, shown

MAX_KEYS = 100_000
MAX_FILE_BYTES = 64 * 1024 * 1024
MEMBERS = ("name", "sha256", "scopes", "clusters", "expires")
NEEDED = ("name", "sha256", "scopes")

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(?:key|\"key\"|'key')[ \t]*\]\]", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def read(path: str) -> bytes:
    """Return the file's bytes. Raises ConfigError if it can't be read or is too large."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: expected at most {MAX_FILE_BYTES} bytes")
    return content


def parse(path: str, content: bytes) -> list[Grant]:
    """Return the keys of a file. Raises ConfigError for the first thing that is wrong, with its line."""
    try:
        text = content.decode("utf-8-sig")
        tree = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (at byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:  # its text names line and column
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    for word in tree:
        if word != "key":
            raise ConfigError(f"{path}: unknown member {shown(word)}, expected [[key]] and nothing else")
    tables = tree.get("key", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: key: expected tables, each under [[key]]")
    if len(tables) > MAX_KEYS:
        raise ConfigError(f"{path}: expected at most {MAX_KEYS} keys, got {len(tables)}")
    place = _places(path, text, tables)
    found = [_read_key(table, place, number) for number, table in enumerate(tables)]
    _refuse_twins(found, place)
    return found


def entry(name: str, digest: bytes, scopes: list[str], clusters: list[str], expires: datetime | None) -> str:
    """Return a key as the file has it."""
    lines = ["[[key]]", f"name = {shown(name)}", f'sha256 = "{digest.hex()}"', f"scopes = {_list(scopes)}"]
    if clusters:
        lines.append(f"clusters = {_list(clusters)}")
    if expires is not None:
        lines.append(f"expires = {expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join(lines)


Place = Callable[[int, str], str]
"""Returns where a member of the n-th key is, for an error."""


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _places(path: str, text: str, tables: list[dict[str, Any]]) -> Place:
    """Return what finds a key's member. The parser says nothing of lines, so they are looked for where it is asked."""

    def place(number: int, member: str = "") -> str:
        heads = [found.start() for found in _HEADER.finditer(text)]
        name = tables[number].get("name")
        which = f"key {shown(name)}" if isinstance(name, str) and name else f"key {number + 1}"
        if len(heads) != len(tables):  # written in another of TOML's ways
            return f"{path}: {which}"
        begin, end = heads[number], [*heads, len(text)][number + 1]
        line = re.compile(rf"^[ \t]*[\"']?{re.escape(member)}[\"']?[ \t]*=", re.MULTILINE) if member else None
        found = line.search(text, begin, end) if line is not None else None
        at = begin if found is None else found.start()
        return f"{path}:{text.count(chr(10), 0, at) + 1}: {which}"

    return place


def _read_key(table: dict[str, Any], place: Place, number: int) -> Grant:
    def fault(member: str, text: str) -> ConfigError:
        return ConfigError(f"{place(number, member)}: {member}: {text}")

    for word in table:
        if word not in MEMBERS:
            raise fault(word, f"unknown member{did_you_mean(word, {each: each for each in MEMBERS})}")
    for word in NEEDED:
        if word not in table:
            raise ConfigError(f"{place(number, '')}: {word}: missing")
    name, digest = table["name"], table["sha256"]
    if problem := name_fault(name) if isinstance(name, str) else f"expected text, got {shown(name)}":
        raise fault("name", problem)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        # Its value is not shown: somebody may have written the key itself.
        raise fault("sha256", "expected the 64 hexadecimal digits of the key's SHA-256")
    scopes = list(_texts(table["scopes"], scope_fault, lambda text: fault("scopes", text)))
    if not scopes:
        raise fault("scopes", "expected at least one")
    clusters = list(_texts(table.get("clusters", []), cluster_fault, lambda text: fault("clusters", text)))
    if len(clusters) > MAX_GLOBS:
        raise fault("clusters", f"expected at most {MAX_GLOBS}, got {len(clusters)}")
    if "clusters" in table and not clusters:
        # An empty list reads as "none", and would mean "all".
        raise fault("clusters", 'expected at least one; leave the member out, or write ["*"], for all')
    try:
        expires = None if "expires" not in table else _stamp(table["expires"])
    except ValueError:
        expected = "expected a time with its zone, such as 2027-01-31T00:00:00Z"
        raise fault("expires", f"{expected}, got {shown(table['expires'])}") from None
    return grant(name, bytes.fromhex(digest), scopes, clusters, expires)


def _texts(value: object, problem_of: Callable[[str], str], fault: Callable[[str], ConfigError]) -> Iterator[str]:
    if not isinstance(value, list):
        raise fault(f"expected a list of texts, got {shown(value)}")
    for each in value:
        if not isinstance(each, str):
            raise fault(f"expected texts, got {shown(each)}")
        if problem := problem_of(each):
            raise fault(problem)
        yield each


def _stamp(value: object) -> float:
    """Return wall-clock seconds. Raises ValueError for what is no time, or has no zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("no time with a zone")
    return value.timestamp()


def _refuse_twins(found: list[Grant], place: Place) -> None:
    """Raise ConfigError if two keys have one name or one digest: revoking the one would leave the other."""
    names: dict[str, int] = {}
    digests: dict[bytes, int] = {}
    for number, each in enumerate(found):
        if names.setdefault(each.name, number) != number:
            raise ConfigError(f"{place(number, 'name')}: name: given twice, first to key {names[each.name] + 1}")
        if digests.setdefault(each.digest, number) != number:
            first = found[digests[each.digest]].name
            raise ConfigError(f"{place(number, 'sha256')}: sha256: given twice, first to key {shown(first)}")

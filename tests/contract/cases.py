# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Contract cases: a request each, and what must come back. A file's cases run in its order on one fresh node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from runtime.config.endpoint import canonical_address


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`data` is compared where it is given: `"*"` stands for any value, rows may come in any order and with more
    members than named. `headers` are compared by lower-case name, and `"*"` stands for any there too."""

    status: int
    code: int | None = None
    data: Any = msgspec.UNSET
    headers: dict[str, str] = {}
    why: str = ""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request."""

    group: str
    name: str
    method: str
    target: str
    headers: dict[str, str]
    body: str | None
    expect: Expected


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file, one JSON object a line."""
    for line in path.read_text().splitlines():
        yield msgspec.json.decode(line, type=Case)


def differences(case: Case, status: int, headers: dict[str, str], body: bytes) -> list[str]:
    """What of an answer is not as the case expects; empty where all is well."""
    expect = case.expect
    found = [f"{case.group}: {case.name}: status {status}, expected {expect.status}: {body[:300]!r}"]
    found = [] if status == expect.status else found
    for name, value in expect.headers.items():
        if headers.get(name) != value and not (value == "*" and headers.get(name)):
            found.append(f"{case.name}: {name} {headers.get(name)!r}, expected {value!r}")
    if case.method == "HEAD" or status == 304:
        return [*found, *([f"{case.name}: a body: {body[:300]!r}"] if body else [])]
    if case.target.startswith("/metrics"):
        return found
    try:
        envelope = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return [*found, f"{case.name}: no JSON: {body[:300]!r}"]
    if headers.get("content-type") != "application/json; charset=utf-8":
        found.append(f"{case.name}: Content-Type {headers.get('content-type')}")
    return [*found, *_in_envelope(case, status, headers, envelope)]


def _in_envelope(case: Case, status: int, headers: dict[str, str], envelope: dict[str, Any]) -> list[str]:
    expect, found = case.expect, []
    if not envelope["trace_id"] or headers.get("x-trace-id") != envelope["trace_id"]:
        found.append(f"{case.name}: trace id {envelope['trace_id']!r}, header {headers.get('x-trace-id')!r}")
    sent = case.headers.get("TraceId")
    if sent and envelope["trace_id"] != sent:
        found.append(f"{case.name}: trace id {envelope['trace_id']!r}, sent {sent!r}")
    if list(envelope) != ["status", "error", "data", "trace_id"]:
        found.append(f"{case.name}: members {list(envelope)}")
    if (envelope["status"], envelope["error"] is None) != (("OK", True) if status == 200 else ("ERROR", False)):
        found.append(f"{case.name}: envelope {envelope}")
    code = None if envelope["error"] is None else envelope["error"]["code"]
    if expect.code is not None and code != expect.code:
        found.append(f"{case.name}: code {code}, expected {expect.code}")
    if code is not None and (code // 100000 != status or not envelope["error"]["reason"]):
        found.append(f"{case.name}: error {envelope['error']}")
    if expect.data is not msgspec.UNSET and not same(expect.data, envelope["data"]):
        found.append(f"{case.name}: data {envelope['data']}, expected {expect.data}")
    return found


def same(expected: Any, got: Any) -> bool:
    """Whether an answer's data is what a case expects."""
    if expected == "*":
        return True
    if isinstance(expected, dict) and isinstance(got, dict):
        first = list(got)[: len(expected)]
        return first == list(expected) and all(
            same(_formed(name, value), got[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        rest = list(got)
        for item in expected:
            match = next((other for other in rest if same(item, other)), None)
            if match is None:
                return False
            rest.remove(match)
        return True
    return bool(expected == got and type(expected) is type(got))


def _formed(name: str, expected: Any) -> Any:
    """Return a member as it must come back. The contract's cases have addresses as they were reported: the Go version
    answers those. Answers of ours have the one form of each."""
    return canonical_address(expected) if name == "ip" and expected != "*" else expected

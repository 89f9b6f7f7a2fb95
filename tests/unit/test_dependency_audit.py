# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The look-up of known vulnerabilities fails for those alone, and says when it could not look."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.dependency_audit import by_environment, look_up, look_up_all, pinned, verdict

GOOD = {"name": "django", "version": "5.2.9", "vulns": []}
BAD = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1"]}]}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found on PyPI"}


def reporting(*packages: dict[str, Any]) -> Callable[[Sequence[str]], str]:
    def audit(arguments: Sequence[str]) -> str:
        Path(arguments[arguments.index("-o") + 1]).write_text(json.dumps({"dependencies": packages}))
        return ""

    return audit


@pytest.mark.parametrize(
    ("packages", "code", "word"),
    [
        ([GOOD, UNKNOWN], 0, "1 packages checked, 1 are not known there, 0 vulnerabilities"),
        ([GOOD, BAD], 1, "jinja2 3.0: PYSEC-1, fixed in 3.1"),
        ([UNKNOWN, UNKNOWN], 0, "skipped: no source of advisories is reachable"),
    ],
)
def test_only_a_known_vulnerability_fails(packages: list[dict[str, Any]], code: int, word: str) -> None:
    ended, lines = verdict(*look_up([Path("a.txt")], reporting(*packages)))
    assert ended == code
    assert word in "\n".join(lines)


def test_a_source_that_is_not_reachable_is_said_and_no_failure() -> None:
    code, lines = verdict(*look_up([Path("a.txt")], lambda arguments: "WARNING: x\nERROR: ConnectionError: refused\n"))
    assert (code, lines) == (
        0,
        ["skipped: no source of advisories is reachable (ERROR: ConnectionError: refused)"],
    )


def test_every_pinned_file_is_looked_up_with_those_of_its_environment() -> None:
    asked: list[list[str]] = []

    def audit(arguments: Sequence[str]) -> str:
        asked.append([Path(each).name for each in arguments if each.endswith(".txt")])
        return reporting({**GOOD, "version": str(len(asked))})(arguments)

    found, said = look_up_all(by_environment(pinned()), audit)
    assert sorted(name for names in asked for name in names) == [path.name for path in pinned()]
    assert {"base.txt", "dev.txt", "replay.txt"} <= set(asked[0])
    assert asked[1:] == [["litellm.txt"]]
    assert ([package["version"] for package in found], said) == (["1", "2"], "")

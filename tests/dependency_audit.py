# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks up the pinned packages among known vulnerabilities: `python -m tests.dependency_audit`, in CI too.

The source of advisories is outside. Where it can't be reached, or knows none of the packages, nothing was checked: that
is said in a line, and is no failure. A package with a known vulnerability is one (exit code 1).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
APART = {"litellm.txt"}  # files of environments of their own: they may pin packages in other versions
TIMEOUT_SECONDS = 600


def run(arguments: Sequence[str]) -> str:
    """Run pip-audit. Returns what it wrote to stderr."""
    command = [sys.executable, "-m", "pip_audit", *arguments]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {TIMEOUT_SECONDS} s"
    return ran.stderr


def look_up(files: Sequence[Path], audit: Callable[[Sequence[str]], str] = run) -> tuple[list[dict[str, Any]], str]:
    """Return what is known of each package, and why nothing is where the list is empty."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        named = [word for file in files for word in ("-r", str(file))]
        options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json", "-o", str(report)]
        said = audit([*options, *named])
        if not report.exists():
            return [], said.strip().rpartition("\n")[2]
        return json.loads(report.read_text())["dependencies"], said


def verdict(found: Sequence[dict[str, Any]], said: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that say why."""
    checked = [package for package in found if "skip_reason" not in package]
    if not checked:
        reason = found[0]["skip_reason"] if found else said
        return 0, [f"skipped: no source of advisories is reachable ({reason})"]
    faults = [
        f"{package['name']} {package['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions']) or 'none'}"
        for package in checked
        for fault in package["vulns"]
    ]
    unknown = f", {len(found) - len(checked)} are not known there" if len(checked) < len(found) else ""
    return (1 if faults else 0), [*faults, f"{len(checked)} packages checked{unknown}, {len(faults)} vulnerabilities"]


def look_up_all(
    environments: Sequence[Sequence[Path]], audit: Callable[[Sequence[str]], str] = run
) -> tuple[list[dict[str, Any]], str]:
    """Look up several environments, one after the other: pip-audit refuses a package in two versions."""
    found, said = zip(*(look_up(files, audit) for files in environments), strict=True)
    return [package for packages in found for package in packages], "\n".join(filter(None, said))


def pinned() -> list[Path]:
    """Return the files of pinned packages."""
    return sorted(path for path in REQUIREMENTS.glob("*.txt") if path.with_suffix(".in").exists())


def by_environment(files: Sequence[Path]) -> list[list[Path]]:
    """Return the files of each environment."""
    return [[path for path in files if path.name not in APART], *([path] for path in files if path.name in APART)]


if __name__ == "__main__":
    code, lines = verdict(*look_up_all(by_environment(pinned())))
    print("\n".join(lines))  # noqa: T201 a command
    sys.exit(code)

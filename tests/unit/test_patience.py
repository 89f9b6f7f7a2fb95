# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds of all tests, so that a machine that is busy fails none of them.

A wait for what must happen has a limit of a minute or more. Where it cannot, `# short:` beside it says why. Processes,
which may end at any moment, are looked at and signalled in one place. Threads are told apart by themselves, not by
their number: a test before may have left one that is about to end.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
MINUTE = 60.0
# Below it is no limit but a pause between two looks, or a time that is to run out.
PAUSE = 0.5
WAITS = {"wait", "wait_for", "join", "timeout", "settimeout", "communicate"}
CONNECTS = {"create_connection"}
LIMITS = {"timeout", "open_timeout"}
REACHES = ("os.kill", "/proc/", "active_count")
OF_PROCESSES = {Path("processes.py"), Path(__file__).relative_to(TESTS)}

# These measure, or have a limit of their own for a reason that stands beside it.
LEFT_OUT = {"attacks", "browser/screenshots.py"}


def sources() -> list[Path]:
    found = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*.py"))]
    return [path for path in found if not {str(path), path.parts[0]} & LEFT_OUT]


def number(node: ast.expr, constants: dict[str, float]) -> float | None:
    """A number that is written here, or a constant of the module."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Name(id=name):
            return constants.get(name)
    return None


def constants(tree: ast.Module) -> dict[str, float]:
    found = {}
    for each in tree.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if (known := number(value, {})) is not None:
                found[name] = known
    return found


def limits(call: ast.Call) -> Iterator[ast.expr]:
    """What a call may take for the limit of a wait: its keyword, or the last of what it is given."""
    yield from (each.value for each in call.keywords if each.arg in LIMITS)
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            if name in WAITS and call.args:
                yield call.args[-1]
            if name in CONNECTS and len(call.args) > 1:
                yield call.args[1]


def short_limits(source: str) -> list[int]:
    """The lines with a limit that a busy machine may pass."""
    tree = ast.parse(source)
    known = constants(tree)
    lines = source.splitlines()
    return [
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for limit in limits(call)
        if (seconds := number(limit, known)) is not None
        and PAUSE <= seconds < MINUTE
        and "# short:" not in lines[limit.lineno - 1]
    ]


@pytest.mark.no_cover
def test_a_wait_has_a_limit_of_a_minute_or_more() -> None:
    short = {str(path): lines for path in sources() if (lines := short_limits((TESTS / path).read_text()))}
    assert short == {}, "lines with limits below a minute"


@pytest.mark.parametrize(
    ("line", "short"),
    [
        ("thread.join(30)", True),
        ("thread.join(60)", False),
        ("event.wait(timeout=5)", True),
        ("event.wait(0.01)", False),
        ("asyncio.timeout(SECONDS)", True),
        ("asyncio.wait_for(answer, 20.0)", True),
        ("create_connection(('127.0.0.1', port), 30)", True),
        ("connection.settimeout(LONG)", False),
        ("connection.settimeout(5)  # short: it is to run out", False),
        ("', '.join(names)", False),
    ],
)
def test_short_limits_are_found(line: str, short: bool) -> None:
    assert bool(short_limits(f"SECONDS = 10.0\nLONG = 90\n{line}\n")) is short


def test_clients_of_sockets_are_patient() -> None:
    """The library's own patience is 10 s. `tests.sockets` has a client with more. The browser's and the dashboards'
    have their own."""

    def has_one(path: Path) -> bool:
        source = (TESTS / path).read_text()
        return "websockets.sync.client" in source and any(
            isinstance(node, ast.ImportFrom)
            and node.module == "websockets.sync.client"
            and any(each.name == "connect" for each in node.names)
            for node in ast.walk(ast.parse(source))
        )

    assert {str(path) for path in sources() if has_one(path)} == {
        "sockets.py",
        "browser/chromium.py",
        "integration/test_prometheus.py",
    }


def reaches_for_processes(source: str) -> list[str]:
    """What a module does with processes by their numbers, and with threads by theirs."""
    found: list[str] = []
    if not any(word in source for word in REACHES):  # most modules: to parse them takes seconds
        return found
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="kill" | "killpg" as name), args=[who, *_]):
                if ast.unparse(who) != "os.getpid()":
                    found.append(f"os.{name}")
            case ast.JoinedStr(values=[ast.Constant(value="/proc/"), ast.FormattedValue(value=who), *_]):
                # A child of its own stays there until it is waited for.
                if not ast.unparse(who).endswith("process.pid"):
                    found.append("/proc/")
            case ast.Name(id="active_count") | ast.Attribute(attr="active_count"):
                found.append("active_count")
    return found


def test_processes_are_looked_at_and_signalled_in_one_place() -> None:
    others = [path for path in sources() if path not in OF_PROCESSES]
    found = {str(path): what for path in others if (what := reaches_for_processes((TESTS / path).read_text()))}
    assert found == {}, "tests/processes.py has what is safe"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("os.kill(pid, 9)", ["os.kill"]),
        ("os.kill(os.getpid(), 2)", []),
        ("os.killpg(pid, 9)", ["os.killpg"]),
        ("Path(f'/proc/{pid}/stat')", ["/proc/"]),
        ("Path(f'/proc/{self._process.pid}/stat')", []),
        ("threading.active_count()", ["active_count"]),
        ("process.kill()", []),
    ],
)
def test_what_reaches_for_processes_is_found(line: str, found: list[str]) -> None:
    assert reaches_for_processes(line) == found

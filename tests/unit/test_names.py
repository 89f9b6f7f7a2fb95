# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds of the names in all product code: one class, one name; underscored members stay with their owner."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it reads the product and runs none of it

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "runtime",
    "edge",
    "loadstats",
    "kvcache",
    "discovery",
    "access",
    "replication",
    "console",
    "metadata_center",
)

# Django looks these up by name. Models stand for permissions and are named for what people see.
DJANGO = {"Meta", "Migration", "Command"}

# Members of libraries that have no public name for the same.
FOREIGN = {
    ("edge/rest/viewset.py", "request._request"),  # Django's request inside REST framework's
    ("runtime/profiling/cpu.py", "sys._current_frames"),
    ("runtime/profiling/threads.py", "sys._current_frames"),
}
NAMED_TUPLES = {"_asdict", "_replace", "_fields", "_make"}  # public, in spite of the underscore
DJANGO_MODELS = {"_meta", "_state", "_default_manager"}  # documented, whatever their names say


def modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if not {"migrations", "commands"} & set(path.parts)
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def class_names(tree: ast.AST) -> Iterator[str]:
    return (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_a_class_name_exists_once() -> None:
    files = defaultdict(list)
    for path in modules():
        if path.name == "models.py":
            continue
        for name in class_names(parsed(path)):
            if name not in DJANGO:
                files[name].append(name_of(path))
    assert {name: where for name, where in files.items() if len(where) > 1} == {}


def reaches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Accesses to underscored members of objects that are not of a class of this module."""
    classes = {"self", "cls", *class_names(tree)}
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        own = set(classes)
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign) and makes_own(node.value, classes):
                own |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and names_own(node.annotation, classes):
                own |= {node.target.id} if isinstance(node.target, ast.Name) else set()
            elif isinstance(node, ast.arg) and names_own(node.annotation, classes):
                own.add(node.arg)
        for node in ast.walk(statement):
            if not isinstance(node, ast.Attribute) or not private(node.attr):
                continue
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in own:
                continue
            if isinstance(owner, ast.Call) and ast.unparse(owner.func) == "super":
                continue
            yield node.lineno, ast.unparse(node)


def private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in NAMED_TUPLES | DJANGO_MODELS


def makes_own(value: ast.expr, classes: set[str]) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in classes


def names_own(annotation: ast.expr | None, classes: set[str]) -> bool:
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id in classes for node in ast.walk(annotation)
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_reaches_into_another_objects_underscored_members(package: str) -> None:
    found = [
        f"{name_of(path)}:{line}: {text}"
        for path in modules()
        if path.relative_to(ROOT).parts[0] == package
        for line, text in reaches(parsed(path))
        if (name_of(path), text) not in FOREIGN
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f(ledger): ledger._lock", ["ledger._lock"]),
        ("class A:\n    def f(self): return self.ledger._lock", ["self.ledger._lock"]),
        ("class A:\n    def f(self): return self._lock", []),
        ("class A:\n    def f(self, other: A): return other._lock", []),
        ("class A:\n    @classmethod\n    def of(cls):\n        a = cls()\n        a._b = 1", []),
        ("def f(row): row._replace(a=1)", []),
        ("def f(row): row.__class__", []),
    ],
)
def test_the_search_for_reaches_finds_them(code: str, found: list[str]) -> None:
    assert [text for _, text in reaches(ast.parse(code))] == found

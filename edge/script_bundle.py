# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Joins an ES module and the modules it imports into one script. Pure.

A page of twenty modules needs a round trip for each level of imports; joined it needs one. Each imported module becomes
a function that returns its exports, in the order of imports, so that names of two modules never meet. The subset of
the language that is joined is what this project writes: imports of names by relative paths, exports by declaration.
All else is refused, and then the modules are served one by one. Comments on lines of their own are left out: a quarter
of what the browser would load.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath

# Statements begin at the start of a line, as the formatter leaves them.
IMPORT = re.compile(r'^import\s+(?:(?P<names>\{[^}]*\}|\*\s+as\s+\w+)\s+from\s+)?"(?P<path>\.[^"]+)";', re.MULTILINE)
EXPORT = re.compile(
    r"^export\s+(?:(?P<kind>(?:async\s+)?function\*?|class|const)\s+(?P<name>\w+)|\{(?P<list>[^}]*)\};)", re.MULTILINE
)
COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:[^*]|\*(?!/))*\*/|//.*)[ \t]*\n", re.MULTILINE)
LEFT = re.compile(r"^(?:import\b(?!\s*[(.])|export\b).*", re.MULTILINE)


class NotJoinable(ValueError):
    """A module uses what `bundle` does not know, or modules import each other in a circle."""


def is_module(source: str) -> bool:
    """Return whether a script imports other modules."""
    return IMPORT.search(source) is not None


def bundle(name: str, read: Callable[[str], str]) -> str:
    """Return one module that does what the module `name` and all its imports do.

    `read` returns the source of a module by its name, a path with `/`.
    Raises `NotJoinable`, and what `read` raises.
    """
    modules = _Modules(read)
    entry = modules.body(name, ())
    return "".join([*modules.written, entry.text])


class _Body:
    """A module's source without `import` and `export`, and the names it exports: outside name to inside name."""

    def __init__(self, text: str, exports: dict[str, str]) -> None:
        self.text = text
        self.exports = exports


class _Modules:
    """The modules written so far, each after what it imports."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._known: dict[str, tuple[str, frozenset[str]]] = {}  # by name: its variable, its exports
        self.written: list[str] = []

    def body(self, name: str, importers: tuple[str, ...]) -> _Body:
        """Return a module's body. What it imports is written."""
        if name in importers:
            raise NotJoinable(f"{name}: imports itself, by {' and '.join(importers)}")
        exports: dict[str, str] = {}

        def imported(found: re.Match[str]) -> str:
            path = normpath(join(dirname(name), found["path"]))
            variable, offered = self._import(path, (*importers, name))
            return _binding(found["names"], variable, offered, f"{name}: {path}")

        def exported(found: re.Match[str]) -> str:
            if found["kind"] is None:
                exports.update((outside, inside) for inside, outside in _pairs(found["list"]))
                return ""
            exports[found["name"]] = found["name"]
            return f"{found['kind']} {found['name']}"

        text = EXPORT.sub(exported, IMPORT.sub(imported, COMMENT.sub("", self._read(name))))
        if left := LEFT.search(text):
            raise NotJoinable(f"{name}: not known here: {left[0]}")
        return _Body(text, exports)

    def _import(self, name: str, importers: tuple[str, ...]) -> tuple[str, frozenset[str]]:
        if name not in self._known:
            body = self.body(name, importers)
            variable = f"$module{len(self._known)}"
            offered = ", ".join(f"{outside}: {inside}" for outside, inside in body.exports.items())
            self.written.append(f"const {variable} = (() => {{\n{body.text}\nreturn {{ {offered} }};\n}})();\n")
            self._known[name] = (variable, frozenset(body.exports))
        return self._known[name]


def _binding(names: str | None, variable: str, offered: frozenset[str], where: str) -> str:
    """Return the declaration that an import becomes."""
    if names is None:
        return ""
    if names.startswith("*"):
        return f"const {names.split()[-1]} = {variable};"
    pairs = _pairs(names.strip("{}"))
    if missing := [outside for outside, _ in pairs if outside not in offered]:
        raise NotJoinable(f"{where} does not export {', '.join(missing)}")
    return f"const {{ {', '.join(f'{outside}: {inside}' for outside, inside in pairs)} }} = {variable};"


def _pairs(names: str) -> list[tuple[str, str]]:
    """Return the names of `a, b as c` as pairs: (a, a), (b, c)."""
    words = [each.split() for each in names.split(",") if each.strip()]
    return [(each[0], each[-1]) for each in words]

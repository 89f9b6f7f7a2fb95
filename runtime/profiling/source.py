# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which function a line of a source file belongs to.

`tracemalloc` knows files and lines only. The names come from the files' tokens. `ast.parse` would hold the interpreter
for 8 ms per 1,000 lines; tokenizing takes 16 ms but lets other threads run. Any thread; a `Source` belongs to the
thread that made it.
"""

from __future__ import annotations

import os.path
import tokenize
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import NamedTuple

from runtime.profiling.stack import Frame


class Definition(NamedTuple):
    """One `def` or `class`.

    `start`: its first line.
    `body`, `end`: the first and the last line of its body. The head is not in it: the surrounding code makes the
    function and computes its defaults.
    `name`: its `__qualname__`.
    """

    start: int
    body: int
    end: int
    name: str


class _Open(NamedTuple):
    name: str
    keyword: str
    start: int
    depth: int
    body: int


def scopes(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[Definition]:
    """Return every function and class among a file's tokens, inner ones before outer ones."""
    opened: list[_Open] = []
    depth = last_line = 0
    keyword = ""
    fresh = False  # a statement begins
    for token in tokens:
        if token.type in (tokenize.NL, tokenize.COMMENT):
            continue
        if token.type == tokenize.INDENT:
            if opened and opened[-1].depth == depth:
                opened[-1] = opened[-1]._replace(body=last_line + 1)
            depth += 1
            fresh = False
        elif token.type == tokenize.DEDENT:
            depth -= 1
        elif token.type == tokenize.NEWLINE:
            fresh = True
            last_line = token.start[0]
        else:
            while fresh and opened and opened[-1].depth >= depth:
                closed = opened.pop()
                yield Definition(closed.start, closed.body, last_line, closed.name)
            fresh = False
            if keyword:
                line = token.start[0]
                opened.append(_Open(_qualified(token.string, opened), keyword, line, depth, body=line))
                keyword = ""
            elif token.string in ("def", "class"):
                keyword = token.string


def _qualified(name: str, opened: list[_Open]) -> str:
    if not opened:
        return name
    outer = opened[-1]
    return f"{outer.name}.<locals>.{name}" if outer.keyword == "def" else f"{outer.name}.{name}"


class Source:
    """Frames by file and line. `modules` is `sys.modules`. Every file is read once, and its text is not kept."""

    def __init__(
        self, modules: Iterable[tuple[str, ModuleType]], *, read: Callable[[str], Iterable[Definition]] | None = None
    ) -> None:
        self._modules: dict[str, str] = {}
        for name, module in modules:
            file = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(file, str):
                self._modules.setdefault(file, name)
        self._read = read or _scopes_of_file
        self._scopes: dict[str, list[Definition]] = {}
        self._frames: dict[tuple[str, int], Frame] = {}

    def frame(self, filename: str, line: int) -> Frame:
        """Return a line with its function's name, or with the file's name if the source can't be read."""
        frame = self._frames.get((filename, line))
        if frame is None:
            frame = self._frames[filename, line] = self._find(filename, line)
        return frame

    def _find(self, filename: str, line: int) -> Frame:
        found = self._scopes.get(filename)
        if found is None:
            try:
                found = list(self._read(filename))
            except (OSError, SyntaxError, ValueError, tokenize.TokenError):
                found = []
            self._scopes[filename] = found
        module = self._modules.get(filename, "")
        # Inner ones come first.
        for scope in found:
            if scope.body <= line <= scope.end:
                return Frame(module, scope.name, filename, scope.start, line)
        return Frame(module, "<module>" if found or module else os.path.basename(filename), filename, 0, line)


def _scopes_of_file(filename: str) -> Iterator[Definition]:
    with tokenize.open(filename) as file:
        yield from scopes(tokenize.generate_tokens(file.readline))

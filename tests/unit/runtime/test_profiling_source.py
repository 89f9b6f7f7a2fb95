# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which function a line belongs to: on small files, and beside the code objects of real ones."""

from __future__ import annotations

import asyncio.base_events
import dataclasses
import inspect
import io
import socketserver
import sys
import textwrap
import tokenize
import typing
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from runtime.profiling.source import Definition, Source, scopes

# Code without a `def` or `class` of its own: it belongs to the function around it.
INLINE = ("<lambda>", "<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")


def found(text: str) -> set[Definition]:
    lines = io.StringIO(textwrap.dedent(text).lstrip("\n"))
    return set(scopes(tokenize.generate_tokens(lines.readline)))


def test_it_knows_functions_methods_and_what_they_hold() -> None:
    text = """
    class Outer:
        x = [1]

        async def method(
            self,
        ) -> None:
            query = '''
    dedented
    '''

            def inner(): return 1
            return inner

        class Nested: pass

    def last():  # a comment

        # another
        pass
    """
    assert found(text) == {
        Definition(1, 2, 14, "Outer"),
        Definition(4, 7, 12, "Outer.method"),
        Definition(11, 11, 11, "Outer.method.<locals>.inner"),
        Definition(14, 14, 14, "Outer.Nested"),
        Definition(16, 17, 19, "last"),
    }


def test_a_file_that_ends_without_a_newline_is_read_to_its_end() -> None:
    assert found("def f():\n    return 1") == {Definition(1, 2, 2, "f")}


def test_a_functions_head_belongs_to_where_it_is_made() -> None:
    source = Source([], read=lambda _: [Definition(5, 7, 8, "f.<locals>.g"), Definition(2, 3, 9, "f")])
    names = [source.frame("x.py", line).name for line in range(1, 11)]
    assert names == ["<module>", "<module>", *["f"] * 4, "f.<locals>.g", "f.<locals>.g", "f", "<module>"]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


@pytest.mark.no_cover
@pytest.mark.parametrize("module", [asyncio.base_events, dataclasses, socketserver, tokenize, typing])
def test_it_agrees_with_the_compiler(module: ModuleType) -> None:
    file = inspect.getfile(module)
    source = Source(list(sys.modules.items()))
    checked = 0
    for code in _codes(compile(Path(file).read_bytes(), file, "exec")):
        # PEP 695 and 696 have scopes without a name of their own, from 3.12.
        if code.co_name in INLINE or "<generic parameters" in code.co_qualname:
            continue
        lines = {line for _, _, line in code.co_lines() if line is not None}
        inside = {line for line in lines if line > min(lines, default=0)}
        nested = {line for inner in _codes(code) for _, _, line in inner.co_lines()}
        for line in inside - nested:
            assert source.frame(file, line).name == f"{module.__name__}.{code.co_qualname}", line
            checked += 1
    assert checked > 100


def test_a_line_outside_of_functions_is_the_modules() -> None:
    frame = Source(list(sys.modules.items())).frame(__file__, 1)
    assert (frame.name, frame.line, frame.start_line) == (f"{__name__}.<module>", 1, 0)


@pytest.mark.parametrize(
    "error", [OSError, SyntaxError, UnicodeDecodeError("utf-8", b"", 0, 1, ""), tokenize.TokenError]
)
def test_a_file_that_cannot_be_read_is_named_instead(error: Exception) -> None:
    reads: list[str] = []

    def read(filename: str) -> list[Definition]:
        reads.append(filename)
        raise error

    source = Source([], read=read)
    frames = [source.frame("/lib/<frozen importlib>", line) for line in (3, 4, 3)]
    assert [frame.name for frame in frames] == ["<frozen importlib>"] * 3
    assert frames[0] is frames[2]
    assert reads == ["/lib/<frozen importlib>"]


def test_modules_without_a_file_are_passed_over() -> None:
    odd: list[tuple[str, ModuleType]] = [("gone", None), ("sys", sys)]  # type: ignore[list-item]
    assert Source(odd, read=lambda _: [Definition(1, 2, 2, "f")]).frame("/x.py", 2).name == "f"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Coverage while tests are collected: it watches the product's modules as they run, and nothing else.

To watch pytest and the tests' own modules as well doubles the time that collecting takes. Runs on the main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class CoveredImports:
    """Finds the modules of some packages as Python does, and traces what they do while they are loaded.

    `trace`: what coverage traces with.
    `packages`: the names of the top packages.
    """

    def __init__(self, trace: Any, packages: frozenset[str]) -> None:
        self._trace = trace
        self._packages = packages

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, None where it is not one of the packages'."""
        if name.partition(".")[0] not in self._packages:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._traced(spec.loader.exec_module)  # type: ignore[method-assign]
        return spec

    def _traced(self, run: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        def traced(module: ModuleType) -> None:
            before = sys.gettrace()
            sys.settrace(self._trace)
            try:
                run(module)
            finally:
                sys.settrace(before)

        return traced


@contextmanager
def covered_imports(packages: frozenset[str]) -> Iterator[None]:
    """Trace nothing but the loading of these packages' modules. Does nothing where nothing is traced."""
    trace = sys.gettrace()
    if trace is None:  # coverage does not run
        yield
        return
    finder = CoveredImports(trace, packages)
    sys.meta_path.insert(0, finder)
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)
        sys.meta_path.remove(finder)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Python stacks as plain values. Any thread.

No frame object is kept after the call that reads it, because it would keep the locals of a running function alive.
"""

from __future__ import annotations

from types import FrameType
from typing import NamedTuple

# Of a deeper stack only the innermost frames are kept.
MAX_DEPTH = 256


class Frame(NamedTuple):
    """One line of one function. Lines count from 1. 0 means unknown."""

    module: str
    function: str
    filename: str
    start_line: int
    line: int

    @property
    def name(self) -> str:
        """The function's full name, which is what pprof groups by."""
        return f"{self.module}.{self.function}" if self.module else self.function


Stack = tuple[Frame, ...]


def stack_of(frame: FrameType | None) -> Stack:
    """Return the stack from `frame` outwards, innermost first, as pprof wants it."""
    stack: list[Frame] = []
    while frame is not None and len(stack) < MAX_DEPTH:
        code = frame.f_code
        stack.append(
            Frame(
                frame.f_globals.get("__name__", ""),
                code.co_qualname,
                code.co_filename,
                code.co_firstlineno,
                frame.f_lineno or code.co_firstlineno,
            )
        )
        frame = frame.f_back
    return tuple(stack)

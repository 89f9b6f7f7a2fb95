# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What every thread does right now: a dump of all stacks, for pprof or for people.

Runs on the thread that asks, and shows that one too. All stacks are read in one step of tens of microseconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import NamedTuple

from runtime.profiling.cpu import ThreadLike
from runtime.profiling.profile import Profile
from runtime.profiling.stack import Stack, stack_of


class _Thread(NamedTuple):
    ident: int
    native_id: int | None
    name: str
    stack: Stack


class ThreadDump:
    """Dumps the threads of this process. Tests pass in other frames, threads and clocks."""

    def __init__(
        self,
        *,
        program: str,
        frames: Callable[[], Mapping[int, FrameType]] = sys._current_frames,
        threads: Callable[[], Iterable[ThreadLike]] = threading.enumerate,
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._program = program
        self._frames = frames
        self._threads = threads
        self._wall_clock = wall_clock

    def profile(self) -> bytes:
        """Return one sample a thread, in pprof's format."""
        profile = Profile((("threads", "count"),), program=self._program, time_ns=self._wall_clock())
        for thread in self._look():
            profile.numbers(thread.stack, thread.name)[0] += 1
        return profile.encode(duration_ns=0, period_type=("threads", "count"), period=1, default="threads")

    def text(self) -> bytes:
        """Return one paragraph a thread, innermost frame first."""
        looked = list(self._look())
        lines = [f"{len(looked)} threads of {self._program}"]
        for thread in looked:
            native = "" if thread.native_id is None else f", native id {thread.native_id}"
            lines += ["", f"thread {thread.ident}{native}: {thread.name}"]
            lines += [f"    {frame.name}  {frame.filename}:{frame.line}" for frame in thread.stack]
        return ("\n".join(lines) + "\n").encode(errors="replace")

    def _look(self) -> Iterator[_Thread]:
        known = {thread.ident: thread for thread in self._threads()}
        for ident, frame in self._frames().items():
            thread = known.get(ident)
            if thread is None:
                yield _Thread(ident, None, f"thread {ident}", stack_of(frame))
            else:
                yield _Thread(ident, thread.native_id, thread.name, stack_of(frame))

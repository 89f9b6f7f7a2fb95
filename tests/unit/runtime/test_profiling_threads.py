# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Stacks of threads at one moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType, SimpleNamespace

from runtime.profiling.stack import MAX_DEPTH, Frame, stack_of
from runtime.profiling.threads import ThreadDump

from .pprof import Read


def here() -> FrameType:
    return sys._getframe()


def dump() -> ThreadDump:
    frame = here()
    known = SimpleNamespace(ident=1, native_id=77, name="loop")
    return ThreadDump(
        program="node", frames=lambda: {1: frame, 2: frame}, threads=lambda: [known], wall_clock=lambda: 42
    )


def test_pprof_gets_a_sample_a_thread() -> None:
    read = Read(dump().profile())
    assert read.types == [("threads", "count")]
    assert read.default == "threads"
    assert read.message.time_nanos == 42
    assert [(sample.thread, sample.functions[0], sample.numbers) for sample in read.samples] == [
        ("loop", f"{__name__}.here", {"threads": 1}),
        ("thread 2", f"{__name__}.here", {"threads": 1}),
    ]


def test_a_person_gets_a_paragraph_a_thread() -> None:
    paragraphs = dump().text().decode().split("\n\n")
    assert paragraphs[0] == "2 threads of node"
    head, innermost, *_ = paragraphs[1].splitlines()
    assert head == "thread 1, native id 77: loop"
    assert innermost == f"    {__name__}.here  {__file__}:{here().f_lineno}"
    assert paragraphs[2].startswith("thread 2: thread 2\n")


def test_it_shows_the_threads_of_this_process() -> None:
    ready, done = threading.Event(), threading.Event()

    def waiting() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=waiting, name="a thread that waits")
    thread.start()
    try:
        assert ready.wait(60)
        read = Read(ThreadDump(program="node").profile())
    finally:
        done.set()
        thread.join()
    (sample,) = read.of("a thread that waits")
    assert any(function.endswith("<locals>.waiting") for function in sample.functions)


def test_of_an_endless_stack_the_innermost_frames_are_taken() -> None:
    def deep(levels: int, call: Callable[[], FrameType]) -> FrameType:
        return deep(levels - 1, call) if levels else call()

    stack = stack_of(deep(MAX_DEPTH + 50, here))
    assert len(stack) == MAX_DEPTH
    assert stack[0].name == f"{__name__}.here"


def test_a_frame_without_a_module_has_its_functions_name() -> None:
    assert Frame("", "f", "<string>", 1, 1).name == "f"

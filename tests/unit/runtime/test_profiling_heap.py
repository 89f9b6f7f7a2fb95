# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Heap windows, on the process's own tracemalloc."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from runtime.profiling.heap import STACK_DEPTH, HeapTracer

from .pprof import Read, Sample

SECOND = 1_000_000_000


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def untraced() -> Iterator[None]:
    if tracemalloc.is_tracing():
        pytest.skip("needs tracemalloc to itself")
    yield
    tracemalloc.stop()


def allocating() -> bytes:
    return bytes(100_000)


def profile(seconds: float, step: Callable[[], object], **bounds: int) -> tuple[Read, Clock]:
    """`step` is what the process does in each pause."""
    clock = Clock()

    def pause(pause_seconds: float) -> bool:
        clock.now += round(pause_seconds * 1e9)
        return step() is not False

    tracer = HeapTracer(program="node", clock=clock, wall_clock=lambda: 42, **bounds)
    return Read(tracer.profile(seconds, pause)), clock


def of(read: Read, function: str) -> list[Sample]:
    return [sample for sample in read.samples if sample.functions[0] == f"{__name__}.{function}"]


@pytest.mark.usefixtures("untraced")
def test_it_shows_what_was_allocated_in_the_window_and_still_lives() -> None:
    kept: list[bytes] = []
    old = allocating()

    def step() -> None:
        kept.append(allocating())
        allocating()

    read, clock = profile(0.2, step)
    (sample,) = of(read, "allocating")
    assert sample.numbers == {"inuse_objects": 4, "inuse_space": 4 * sys.getsizeof(old)}
    assert sample.functions[1:3] == (
        f"{__name__}.test_it_shows_what_was_allocated_in_the_window_and_still_lives.<locals>.step",
        f"{__name__}.profile.<locals>.pause",
    )
    assert read.types == [("inuse_objects", "count"), ("inuse_space", "bytes")]
    assert read.default == "inuse_space"
    assert (read.message.time_nanos, read.message.duration_nanos) == (42, clock.now)
    assert clock.now == SECOND // 5
    assert read.comments == ["what was allocated in the window and still lives"]
    assert not tracemalloc.is_tracing()


@pytest.mark.usefixtures("untraced")
def test_stacks_are_as_deep_as_promised() -> None:
    kept: list[bytes] = []

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            kept.append(allocating())

    read, _ = profile(0.01, lambda: deep(50))
    (sample,) = of(read, "allocating")
    assert len(sample.functions) == STACK_DEPTH


@pytest.mark.usefixtures("untraced")
def test_it_closes_early_when_too_much_lives() -> None:
    kept: list[bytes] = []
    read, clock = profile(300, lambda: kept.append(allocating()), max_traced_bytes=1_000_000)
    assert clock.now < SECOND
    assert len(kept) == 10
    assert read.comments == ["what was allocated in the window and still lives; closed early, at 1,000,000 bytes"]


@pytest.mark.usefixtures("untraced")
def test_it_closes_when_told_with_what_it_has() -> None:
    kept: list[bytes] = []

    def step() -> bool:
        kept.append(allocating())
        return len(kept) < 3

    read, _ = profile(300, step)
    assert of(read, "allocating")[0].numbers["inuse_objects"] == 3


@pytest.mark.usefixtures("untraced")
def test_tracing_stops_when_the_window_fails() -> None:
    def step() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        profile(1, step)
    assert not tracemalloc.is_tracing()


@pytest.mark.usefixtures("untraced")
def test_where_tracing_is_on_already_it_shows_all_at_once_and_leaves_it_on() -> None:
    tracemalloc.start(2)
    kept: list[bytes] = []
    kept.append(allocating())
    read, clock = profile(300, lambda: pytest.fail("waited"))
    assert clock.now == 0
    assert of(read, "allocating")[0].numbers["inuse_objects"] == 1
    assert read.comments == ["all that was allocated since tracing began and still lives"]
    assert tracemalloc.is_tracing()

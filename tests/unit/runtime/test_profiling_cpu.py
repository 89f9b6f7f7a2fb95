# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The CPU sampler on frames, threads and clocks that the test moves; and the one clock that is Linux' own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import NamedTuple

import pytest

from runtime.profiling.cpu import CpuSampler, thread_cpu_ns

from .pprof import Read

MS = 1_000_000


class FakeThread(NamedTuple):
    ident: int
    native_id: int | None
    name: str


def working() -> Generator[None]:
    yield
    yield


def resting() -> Generator[None]:
    yield


def frame_of(parked: Generator[None]) -> FrameType:
    frame = parked.gi_frame  # type: ignore[attr-defined]
    assert isinstance(frame, FrameType)
    return frame


class World:
    """A process of fake threads. `on_tick` moves it when a pause is over."""

    def __init__(self, on_tick: Callable[[int], None] = lambda tick: None) -> None:
        self.now = 1000 * MS
        self.ticks = 0
        self.on_tick = on_tick
        self.threads: list[FakeThread] = []
        self.frames: dict[int, FrameType] = {}
        self.cpu: dict[int, int] = {}

    def add(self, ident: int, name: str, parked: Generator[None], cpu: int = 0) -> None:
        self.threads.append(FakeThread(ident, ident + 1000, name))
        self.frames[ident] = frame_of(parked)
        self.cpu[ident + 1000] = cpu

    def pause(self, seconds: float) -> bool:
        self.now += round(seconds * 1e9)
        self.ticks += 1
        self.on_tick(self.ticks)
        return True

    def profile(self, seconds: float, hz: int = 100, pause: Callable[[float], bool] | None = None) -> Read:
        sampler = CpuSampler(
            program="node",
            frames=lambda: self.frames,
            threads=lambda: self.threads,
            thread_cpu=self.cpu.get,
            clock=lambda: self.now,
            wall_clock=lambda: 42,
        )
        return Read(sampler.profile(seconds, hz, pause or self.pause))


def test_it_samples_so_many_times_a_second_and_says_so() -> None:
    world = World()
    world.add(1, "loop", resting())
    read = world.profile(1.0, hz=50)
    assert world.ticks == 50
    assert read.types == [("samples", "count"), ("cpu", "nanoseconds"), ("wall", "nanoseconds")]
    assert (read.message.time_nanos, read.message.duration_nanos, read.message.period) == (42, 1000 * MS, 20 * MS)
    assert read.of("loop")[0].numbers == {"samples": 50, "cpu": 0, "wall": 1000 * MS}


def test_a_window_shorter_than_a_period_is_one_sample() -> None:
    world = World()
    world.add(1, "loop", resting())
    read = world.profile(0.001, hz=1)
    assert read.of("loop")[0].numbers == {"samples": 1, "cpu": 0, "wall": 1 * MS}


def test_cpu_goes_to_the_stack_that_the_thread_is_found_at() -> None:
    parked, other = working(), resting()

    def on_tick(tick: int) -> None:
        world.cpu[1001] += 4 * MS
        world.frames[1] = frame_of(other if tick == 3 else parked)

    world = World(on_tick)
    world.add(1, "loop", parked, cpu=500 * MS)
    read = world.profile(0.04)
    assert {sample.functions[0].rpartition(".")[2]: sample.numbers for sample in read.of("loop")} == {
        "working": {"samples": 3, "cpu": 12 * MS, "wall": 30 * MS},
        "resting": {"samples": 1, "cpu": 4 * MS, "wall": 10 * MS},
    }
    assert read.default == "cpu"


def test_names_are_whole_and_lines_are_where_it_stands() -> None:
    parked = working()
    next(parked)
    world = World()
    world.add(1, "loop", parked)
    read = world.profile(0.01)
    assert read.samples[0].functions == (f"{__name__}.working",)
    first = working.__code__.co_firstlineno
    assert read.message.function[0].start_line == first
    assert read.message.location[0].line[0].line == first + 1
    assert read.text[read.message.function[0].filename] == __file__


def test_a_thread_that_moved_is_looked_at_anew_even_where_its_clock_is_coarse() -> None:
    parked = working()
    next(parked)

    def on_tick(tick: int) -> None:
        if tick == 2:
            next(parked)

    world = World(on_tick)
    world.add(1, "loop", parked)
    read = world.profile(0.03)
    first = working.__code__.co_firstlineno
    assert [place.line[0].line for place in read.message.location] == [first + 1, first + 2]
    assert [sample.numbers["samples"] for sample in read.of("loop")] == [1, 2]


def test_it_leaves_itself_out() -> None:
    world = World()
    world.add(threading.get_ident(), "sampler", working())
    world.add(1, "loop", resting())
    assert {sample.thread for sample in world.profile(0.01).samples} == {"loop"}


def test_a_tick_that_comes_late_stands_for_all_the_time_since_the_last() -> None:
    def on_tick(tick: int) -> None:
        if tick == 2:
            world.now += 33 * MS

    world = World(on_tick)
    world.add(1, "loop", resting())
    read = world.profile(0.1)
    # 10, 53 (for 20, 30, 40 and 50), 60, 70, 80, 90, 100
    assert read.of("loop")[0].numbers == {"samples": 7, "cpu": 0, "wall": 100 * MS}


def test_it_ends_when_told_with_what_it_has() -> None:
    world = World()
    world.add(1, "loop", resting())
    read = world.profile(300, pause=lambda seconds: world.pause(seconds) and world.ticks < 4)
    assert read.of("loop")[0].numbers["samples"] == 3
    assert read.message.duration_nanos == 30 * MS


def test_a_thread_that_begins_meanwhile_is_charged_what_it_used_since() -> None:
    def on_tick(tick: int) -> None:
        if tick == 2:
            world.add(2, "new", working(), cpu=3 * MS)
            world.add(3, "older than it seems", resting(), cpu=9_000 * MS)

    world = World(on_tick)
    read = world.profile(0.03)
    assert read.of("new")[0].numbers == {"samples": 2, "cpu": 3 * MS, "wall": 20 * MS}
    assert read.of("older than it seems")[0].numbers["cpu"] == 10 * MS


def test_a_thread_that_got_the_id_of_one_that_ended_is_charged_nothing_for_it() -> None:
    def on_tick(tick: int) -> None:
        if tick == 1:
            world.cpu[1001] = 2 * MS

    world = World(on_tick)
    world.add(1, "loop", working(), cpu=700 * MS)
    assert world.profile(0.01).of("loop")[0].numbers["cpu"] == 0


def test_threads_without_a_clock_are_shown_without_cpu() -> None:
    world = World()
    world.frames[7] = frame_of(parked := resting())
    world.threads.append(FakeThread(8, None, "no native id"))
    world.frames[8] = frame_of(parked)
    world.threads.append(FakeThread(9, 1009, "no such clock"))
    world.frames[9] = frame_of(parked)
    read = world.profile(0.02)
    assert {sample.thread: sample.numbers for sample in read.samples} == {
        name: {"samples": 2, "cpu": 0, "wall": 20 * MS} for name in ("thread 7", "no native id", "no such clock")
    }
    assert read.default == "samples"


@pytest.mark.skipif(sys.platform != "linux", reason="the clock is Linux' own")
def test_a_threads_clock_is_its_own_and_gone_with_it() -> None:
    before = time.thread_time_ns()
    clock = thread_cpu_ns(threading.get_native_id())
    after = time.thread_time_ns()
    assert clock is not None
    assert before <= clock <= after

    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert ended.native_id is not None
    deadline = time.monotonic() + 60
    while thread_cpu_ns(ended.native_id) is not None:  # join comes a moment before the kernel's end of it
        assert time.monotonic() < deadline


def test_it_sees_what_a_real_thread_does() -> None:
    spins, done = threading.Event(), threading.Event()

    def spinning() -> None:
        spins.set()
        while not done.is_set():
            sum(range(100))

    thread = threading.Thread(target=spinning, name="spinner")
    thread.start()
    try:
        assert spins.wait(60)
        began, used = time.monotonic(), thread_cpu_ns(thread.native_id or 0) or 0

        def go_on(seconds: float) -> bool:
            """Go on until the thread has used 0.1 s of CPU, for a minute at most; for 0.2 s where CPU is not known."""
            done.wait(seconds)
            now = thread_cpu_ns(thread.native_id or 0)
            took = time.monotonic() - began
            if now is None:
                return took < 0.2
            return now - used < 100 * MS and took < 60

        read = Read(CpuSampler(program="node").profile(60, 200, go_on))
    finally:
        done.set()
        thread.join()
    (name,) = {
        function for sample in read.of("spinner") for function in sample.functions if function.endswith("spinning")
    }
    assert name == f"{__name__}.test_it_sees_what_a_real_thread_does.<locals>.spinning"
    if sys.platform == "linux":
        assert sum(sample.numbers["cpu"] for sample in read.of("spinner")) > 0

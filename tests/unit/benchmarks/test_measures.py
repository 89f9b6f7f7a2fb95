# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What measurements say together, and what a process used."""

from __future__ import annotations

import os
import platform
from array import array
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.spread import Latencies, Spread, percentile


def test_a_spread_is_the_median_and_the_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0, 9.0]) == Spread(2.5, 1.0, 9.0)
    assert Spread.of([2.0, 1.0, 4.0]).show() == "2.0 (1.0–4.0)"
    assert Spread.of([1.234]).show(2) == "1.23 (1.23–1.23)"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.9, 90), (0.99, 99), (0.991, 100), (0.999, 100), (1.0, 100)]
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_latencies_are_told_in_another_unit_and_from_any_order() -> None:
    latencies = Latencies.of(array("q", [4_000_000, 1_000_000, 3_000_000, 2_000_000]), 1e-6)
    assert latencies == Latencies(4, 2.0, 4.0, 4.0, 4.0, 4.0)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of one process, 42, named `a) b (c`, with two threads."""
    own = tmp_path / "42"
    fields = ["S", *["0"] * 10, "150", "50", *["0"] * 20]
    for task, waited in ((42, 1_500_000_000), (43, 500_000_000)):
        (own / "task" / str(task)).mkdir(parents=True)
        (own / "task" / str(task) / "schedstat").write_text(f"9000 {waited} 12\n")
    (own / "task" / "44").mkdir()  # has just ended
    (own / "stat").write_text(f"42 (a) b (c) {' '.join(fields)}\n")
    (own / "statm").write_text("5000 300 200 1 0 100 0\n")
    (tmp_path / "stat").write_text("cpu  10 0 10 500 1 0 0 700 0 0\ncpu0 10 0 10 500 1 0 0 700 0 0\n")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9: the new one\n")
    return tmp_path


def test_cpu_time_is_user_and_system_whatever_the_process_is_called(proc: Path) -> None:
    assert machine.cpu_seconds(42, proc) == pytest.approx(200 / os.sysconf("SC_CLK_TCK"))


def test_resident_memory_is_in_bytes(proc: Path) -> None:
    assert machine.resident_bytes(42, proc) == 300 * os.sysconf("SC_PAGE_SIZE")


def test_waiting_is_summed_over_the_threads_that_are_left(proc: Path) -> None:
    assert machine.waited_seconds(42, proc) == pytest.approx(2.0)


def test_what_the_host_took_is_read_from_the_first_line(proc: Path) -> None:
    assert machine.stolen_seconds(proc) == pytest.approx(700 / os.sysconf("SC_CLK_TCK"))


def test_the_processor_is_named(proc: Path) -> None:
    assert machine.processor(proc) == "Abacus 9: the new one"
    (proc / "cpuinfo").write_text("processor\t: 0\n")
    assert machine.processor(proc)


def test_this_process_can_be_read() -> None:
    assert machine.cpu_seconds(os.getpid()) > 0
    assert machine.resident_bytes(os.getpid()) > 1 << 20
    assert machine.waited_seconds(os.getpid()) >= 0
    assert machine.interpreter() in machine.facts()


@pytest.mark.parametrize(
    ("variables", "build"),
    [
        ({}, "(no PGO, no LTO)"),
        ({"CONFIG_ARGS": None}, "(no PGO, no LTO)"),
        ({"CONFIG_ARGS": "'--enable-shared'", "Py_DEBUG": 0}, "(no PGO, no LTO)"),
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto=full'"}, "(PGO, LTO)"),
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto=no'"}, "(PGO, no LTO)"),
        ({"CONFIG_ARGS": "'--with-pydebug'", "Py_DEBUG": 1}, "(no PGO, no LTO, debug)"),
        ({"CONFIG_ARGS": "'--with-lto'", "Py_GIL_DISABLED": 1}, "(no PGO, LTO, free-threaded)"),
    ],
)
def test_the_interpreters_build_is_named(variables: dict[str, object], build: str) -> None:
    name = f"{platform.python_implementation()} {platform.python_version()}"
    assert machine.interpreter(variables) == f"{name} {build}"


def test_pinning_ends_with_its_context() -> None:
    before = os.sched_getaffinity(0)
    first, last = machine.cores()
    assert {first, last} <= before
    with machine.pinned(first):
        assert os.sched_getaffinity(0) == {first}
    assert os.sched_getaffinity(0) == before

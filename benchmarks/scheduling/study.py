# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs: which there are, each made once however many tables it is in, on as many processes as there are cores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

from msgspec import Struct
from msgspec.json import Decoder, encode

from benchmarks.scheduling import traces
from benchmarks.scheduling.arms import arm
from benchmarks.scheduling.profiles import LLAMA_8B, LLAMA_70B_TP4
from benchmarks.scheduling.run import Figures, Run
from benchmarks.scheduling.workload import Workload

PROFILES = {"chat": LLAMA_70B_TP4, "code": LLAMA_8B}
"""The model that each trace is put to."""
TOGETHER = 4
"""Runs with the same requests that one process makes before it says so."""


class Setting(Struct, frozen=True, order=True):
    """What an arm is put to.

    `trace`: `chat` or `code`.
    `rate`: requests a second and engine.
    `each`: requests an engine, on the average.
    `scenario`: what is odd about the fleet: a key of `SCENARIOS`.
    `copies`: of the trace for 16 engines. With more the same rate is nearer to life: see `Workload`.
    """

    trace: str
    engines: int
    rate: float
    gateways: int = 8
    each: int = 250
    copies: float = 1.0
    scenario: str = ""


class Case(Struct, frozen=True, order=True):
    """One run."""

    setting: Setting
    seed: int
    arm: str


class Done(Struct, frozen=True):
    """A case and what it came to."""

    case: Case
    figures: Figures


@lru_cache(maxsize=4)
def _trace(name: str) -> traces.Trace:
    return traces.load(name)


@lru_cache(maxsize=2)
def _workload(setting: Setting, seed: int) -> Workload:
    return Workload(
        _trace(setting.trace),
        setting.engines,
        setting.rate * setting.engines,
        setting.each * setting.engines,
        setting.gateways,
        seed,
        setting.copies,
    )


def run(case: Case) -> Figures:
    """Make one run."""
    setting = case.setting
    requests = _workload(setting, case.seed).requests()
    profile = PROFILES[setting.trace]
    return Run(
        profile, setting.engines, setting.gateways, requests, arm(case.arm), case.seed, setting.scenario
    ).figures()


def _run_all(cases: Sequence[Case]) -> list[Done]:
    return [Done(case, run(case)) for case in cases]


def run_all(cases: Iterable[Case], processes: int) -> Iterator[Done]:
    """Make runs, each once, in about the order of the cases. A few with the same requests are made in a row."""
    same: dict[tuple[Setting, int], list[Case]] = {}
    for case in dict.fromkeys(cases):
        same.setdefault((case.setting, case.seed), []).append(case)
    groups = [each[start : start + TOGETHER] for each in same.values() for start in range(0, len(each), TOGETHER)]
    if processes == 1:
        for group in groups:
            yield from _run_all(group)
        return
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(_run_all, group) for group in groups]):
            yield from future.result()


class Results:
    """Figures by case, kept in a file as they come, so that what was run is not run again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[Case, Figures] = {}
        if file.exists():
            decoder = Decoder(Done)
            for line in file.read_bytes().splitlines():
                done = decoder.decode(line)
                self._known[done.case] = done.figures

    def fill(self, cases: Iterable[Case], processes: int) -> Iterator[Done]:
        """Run the cases that are not known, and keep what they come to."""
        missing = [case for case in cases if case not in self._known]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        for done in run_all(missing, processes):
            self._known[done.case] = done.figures
            with self._file.open("ab") as file:
                file.write(encode(done) + b"\n")
            yield done

    def of(self, setting: Setting, arm: str, seeds: Sequence[int]) -> list[Figures]:
        """Return an arm's figures, in the order of the seeds."""
        return [self._known[Case(setting, seed, arm)] for seed in seeds]

    def forget(self) -> None:
        """Forget all, also what the file has."""
        self._known = {}
        self._file.unlink(missing_ok=True)

    def requests(self, cases: Iterable[Case]) -> int:
        """Return how many requests some runs had."""
        return sum(self._known[case].requests for case in cases)

    def cpu(self, cases: Iterable[Case]) -> float:
        """Return how many seconds of CPU some runs took."""
        return sum(self._known[case].cpu for case in cases)

    def pace(self, setting: Setting, arms: Sequence[str]) -> int:
        """Return how many requests a minute of CPU simulates in a setting, over some arms."""
        cases = [case for case in self._known if case.setting == setting and case.arm in arms]
        return round(60 * self.requests(cases) / self.cpu(cases))

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The register of parts: what makes a node ready, and what is told of each part."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Barrier, Thread

import pytest

from runtime import health_watch
from runtime.health import Health, PartState
from runtime.health_watch import HealthWatch

NOT_WELL = [PartState.STARTING, PartState.DEGRADED, PartState.FAILED, PartState.STOPPED]


class Part:
    """A probe whose answer the test sets."""

    def __init__(self, state: PartState = PartState.OK, detail: str = "") -> None:
        self.state = state
        self.detail = detail

    def __call__(self) -> tuple[PartState, str]:
        return self.state, self.detail


class Clock:
    seconds = 1_767_225_600.0  # 2026-01-01

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def test_it_reports_every_part(health: Health) -> None:
    health.add("server", True, Part(detail="port 8080"))
    health.add("worker", False, Part(PartState.DEGRADED, "stalled"))
    assert health.report() == {
        "status": "degraded",
        "cold_since": None,
        "parts": [
            {
                "name": "server",
                "state": "ok",
                "since": "2026-01-01T00:00:00.000Z",
                "detail": "port 8080",
                "essential": True,
            },
            {
                "name": "worker",
                "state": "degraded",
                "since": "2026-01-01T00:00:00.000Z",
                "detail": "stalled",
                "essential": False,
            },
        ],
    }


def test_a_cold_node_is_as_ready_as_any_and_says_since_when_it_is_cold(clock: Clock) -> None:
    since: list[str | None] = ["2026-01-01T00:00:00.000Z"]
    health = Health(clock, lambda: since[0])
    health.add("server", True, Part())
    assert health.cold_since() == "2026-01-01T00:00:00.000Z"
    report = health.report()
    assert (report["status"], report["cold_since"]) == ("ready", "2026-01-01T00:00:00.000Z")
    since[0] = None
    assert health.cold_since() is None
    assert health.report()["cold_since"] is None


def test_it_remembers_since_when_a_part_is_in_its_state(health: Health, clock: Clock) -> None:
    part = Part()
    health.add("server", True, part)
    health.report()
    clock.seconds += 60.25
    part.detail = "another detail is no other state"
    assert health.report()["parts"][0]["since"] == "2026-01-01T00:00:00.000Z"
    part.state = PartState.FAILED
    assert health.report()["parts"][0]["since"] == "2026-01-01T00:01:00.250Z"
    clock.seconds += 60
    assert health.report()["parts"][0]["since"] == "2026-01-01T00:01:00.250Z"
    assert health.report()["parts"][0]["detail"] == "another detail is no other state"


def test_it_is_starting_before_any_part_is_named(health: Health) -> None:
    assert health.report() == {"status": "starting", "cold_since": None, "parts": []}
    assert not health.ready()


def test_it_is_ready_when_all_parts_are_ok(health: Health) -> None:
    health.add("server", True, Part())
    health.add("worker", False, Part())
    assert health.ready()
    assert health.report()["status"] == "ready"


@pytest.mark.parametrize("state", NOT_WELL)
def test_a_part_that_is_not_essential_never_takes_the_node_out_of_rotation(health: Health, state: PartState) -> None:
    health.add("server", True, Part())
    health.add("worker", False, Part(state))
    assert health.ready()
    assert health.report()["status"] == "degraded"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (PartState.STARTING, "starting"),
        (PartState.FAILED, "failed"),
        (PartState.STOPPED, "failed"),
    ],
)
def test_an_essential_part_that_does_not_work_takes_the_node_out_of_rotation(
    health: Health, state: PartState, status: str
) -> None:
    health.add("server", True, Part())
    health.add("ledger", True, Part(state))
    assert not health.ready()
    assert health.report()["status"] == status


def test_an_essential_part_that_is_degraded_does_not(health: Health) -> None:
    """A lost peer degrades replication on every other node: none of them may leave rotation for it."""
    health.add("server", True, Part())
    health.add("replication", True, Part(PartState.DEGRADED))
    assert health.ready()
    assert health.report()["status"] == "degraded"


def test_it_is_failed_rather_than_starting_when_both_are_true(health: Health) -> None:
    health.add("server", True, Part(PartState.STARTING))
    health.add("ledger", True, Part(PartState.FAILED))
    assert health.report()["status"] == "failed"


def test_a_draining_node_is_stopping_however_well_it_is(health: Health) -> None:
    health.add("server", True, Part())
    health.draining()
    assert not health.ready()
    assert health.report()["status"] == "stopping"


def test_a_probe_that_raises_counts_as_failed(health: Health) -> None:
    def probe() -> tuple[PartState, str]:
        raise ZeroDivisionError("a text that is nobody's business")

    health.add("server", True, probe)
    assert not health.ready()
    part = health.report()["parts"][0]
    assert (part["state"], part["detail"]) == ("failed", "ZeroDivisionError")


def test_it_refuses_a_name_twice(health: Health) -> None:
    health.add("server", True, Part())
    with pytest.raises(ValueError, match="'server'"):
        health.add("server", False, Part())


def test_the_metric_is_1_for_ok_parts_only(health: Health) -> None:
    for state in PartState:
        health.add(state.value, False, Part(state))
    assert health.alive() == {"starting": 0, "ok": 1, "degraded": 0, "failed": 0, "stopped": 0}


def test_it_logs_one_line_for_each_change(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runtime.health")
    part = Part()
    health.add("worker", False, part)
    for state, detail in [
        (PartState.OK, ""),
        (PartState.OK, ""),
        (PartState.FAILED, "died"),
        (PartState.FAILED, "still dead"),
    ]:
        part.state, part.detail = state, detail
        health.report()
    assert caplog.record_tuples == [
        ("runtime.health", logging.INFO, "worker: ok, was starting"),
        ("runtime.health", logging.ERROR, "worker: failed, was ok (died)"),
    ]


def test_threads_that_ask_at_once_see_one_change(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runtime.health")
    health.add("worker", False, Part(PartState.DEGRADED))
    together = Barrier(8)
    statuses = []

    def ask() -> None:
        together.wait(60)
        statuses.extend(health.report()["parts"][0]["state"] for _ in range(50))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == ["degraded"] * 400
    assert len(caplog.records) == 1


def test_a_watched_part_is_dated_when_it_changed_and_not_when_somebody_asks(health: Health, clock: Clock) -> None:
    """An hour later, somebody looks at the page for the first time."""
    part = Part()
    health.add("worker", False, part)
    watch = HealthWatch(health)

    async def watched(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health_watch, "INTERVAL_SECONDS", 0.001)
        looks = 0
        seen = asyncio.Event()

        def probe() -> tuple[PartState, str]:
            nonlocal looks
            looks += 1
            seen.set()
            return PartState.OK, ""

        health.add("counted", False, probe)
        watch.start()
        part.state = PartState.FAILED
        clock.seconds += 60
        seen.clear()
        await asyncio.wait_for(seen.wait(), 60)
        failed_at = "2026-01-01T00:01:00.000Z"
        clock.seconds += 3600
        asked = looks
        assert [health.report()["parts"][0]["since"], health.ready(), health.alive()["worker"]] == [failed_at, True, 0]
        assert looks == asked, "nobody who asks makes a look"
        await watch.stop()
        health.report()
        assert looks == asked + 1, "without a watch everybody who asks does"

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(watched(monkeypatch))


def test_a_watch_looks_more_often_until_every_part_has_started(health: Health) -> None:
    states = iter([PartState.STARTING, PartState.STARTING, PartState.DEGRADED, PartState.STARTING, PartState.OK])
    health.add("slow", True, lambda: (next(states), ""))
    waits: list[float] = []

    async def watched() -> None:
        done = asyncio.Event()

        def call_later(seconds: float, look: Callable[[], None]) -> asyncio.Handle:
            waits.append(seconds)
            return asyncio.get_running_loop().call_soon(look if len(waits) < 5 else done.set)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(asyncio.get_running_loop(), "call_later", call_later)
            watch = HealthWatch(health)
            watch.start()
            await done.wait()
            await watch.stop()

    asyncio.run(watched())
    short, long = health_watch.STARTING_SECONDS, health_watch.INTERVAL_SECONDS
    assert waits == [short, short, long, short, long]
    assert short < long

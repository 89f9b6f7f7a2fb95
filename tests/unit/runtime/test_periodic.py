# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts behind the embedded Celery, each alone: supervisor, runs, pool, schedule, app and the apps' tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import celery._state
import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

import loadstats.tasks
from runtime.config.schema import CelerySettings, Config
from runtime.health import PartState
from runtime.periodic import supervisor as supervisor_module
from runtime.periodic.app import build_app
from runtime.periodic.pool import DaemonPool
from runtime.periodic.runs import MAX_ERROR_CHARACTERS, SKIPPED, TaskRun, TaskRuns
from runtime.periodic.schedule import PeriodicTask, beat_schedule
from runtime.periodic.supervisor import Supervisor

SECONDS = 60.0  # how long a test waits for what must happen


class Clock:
    """Wall and monotonic time in one, moved by the test."""

    seconds = 1_767_225_600.0  # 2026-01-01

    def __call__(self) -> float:
        return self.seconds


class Loop:
    """What a supervisor keeps running: a test tells it how to end."""

    def __init__(self) -> None:
        self.begun = Event()
        self.go = Event()
        self.error: BaseException | None = None

    def __call__(self, stopping: Event) -> None:
        self.begun.set()
        while not stopping.is_set():
            if self.go.wait(0.005):
                self.go.clear()
                if self.error is not None:
                    raise self.error
                return

    def end(self, error: BaseException | None = None) -> None:
        """End it and see it begin again."""
        assert self.begun.wait(SECONDS)
        self.begun.clear()
        self.error = error
        self.go.set()
        assert self.begun.wait(SECONDS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def supervisor(loop: Loop, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor_module, "SHORTEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervisor_module, "LONGEST_PAUSE_SECONDS", 0.004)
    supervisor = Supervisor("beat", loop, PartState.DEGRADED, clock, clock)
    yield supervisor
    supervisor.request_stop()
    assert supervisor.join(SECONDS)


def test_a_keeper_is_stopped_then_starting_then_ok_then_stopped(supervisor: Supervisor, loop: Loop) -> None:
    assert supervisor.join(0)
    assert supervisor.state() == (PartState.STOPPED, "")
    supervisor.start()
    assert loop.begun.wait(SECONDS)
    assert supervisor.state() == (PartState.STARTING, "")
    supervisor.well()
    assert supervisor.state() == (PartState.OK, "")
    supervisor.request_stop()
    assert supervisor.join(SECONDS)
    supervisor.well()
    assert supervisor.state() == (PartState.STOPPED, "")


def test_a_keeper_can_be_started_again_but_not_twice_at_once(supervisor: Supervisor, loop: Loop) -> None:
    supervisor.start()
    with pytest.raises(RuntimeError, match="beat has not stopped yet"):
        supervisor.start()
    supervisor.request_stop()
    assert supervisor.join(SECONDS)
    loop.begun.clear()
    supervisor.start()
    assert loop.begun.wait(SECONDS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, (PartState.FAILED, "ended")),
        (RuntimeError("boom"), (PartState.FAILED, "RuntimeError: boom")),
        (SystemExit(1), (PartState.FAILED, "SystemExit: 1")),
        (OperationalError("refused"), (PartState.DEGRADED, "broker: refused")),
    ],
)
def test_a_loop_that_ends_untold_begins_anew(
    supervisor: Supervisor, loop: Loop, error: BaseException | None, expected: tuple[PartState, str]
) -> None:
    supervisor.start()
    supervisor.well()
    loop.end(error)
    assert supervisor.state() == expected, "it is not well before it says so"
    supervisor.well()
    assert supervisor.state() == (PartState.OK, "")


def test_the_pause_doubles_up_to_a_cap_until_a_loop_lasted(
    supervisor: Supervisor, loop: Loop, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start()
    for _ in range(4):
        loop.end()
    clock.seconds += 1
    loop.end()
    pauses = [
        record.getMessage().split(" in ")[1] for record in caplog.records if record.name == supervisor_module.__name__
    ]
    assert pauses == ["0.001 s", "0.002 s", "0.004 s", "0.004 s", "0.001 s"]


def test_a_loop_that_falls_silent_is_told_of(supervisor: Supervisor, loop: Loop, clock: Clock) -> None:
    supervisor.start()
    assert loop.begun.wait(SECONDS)
    clock.seconds += 3
    supervisor.well()
    clock.seconds += 10
    assert supervisor.state() == (PartState.OK, "")
    clock.seconds += 1
    assert supervisor.state() == (PartState.DEGRADED, "stalled since 2026-01-01T00:00:03.000Z")
    supervisor.well()
    assert supervisor.state() == (PartState.OK, "")


def test_a_loop_that_never_says_that_it_is_well_is_told_of(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start()
    clock.seconds += 11
    assert supervisor.state() == (PartState.DEGRADED, "stalled since 2026-01-01T00:00:00.000Z")


def test_runs_are_counted_dated_and_measured(clock: Clock) -> None:
    runs = TaskRuns(("t",), clock, clock)
    assert runs.snapshot() == {"t": TaskRun()}
    began = clock.seconds
    with runs.track("t") as free:
        assert free
        assert runs.snapshot()["t"] == TaskRun(last_start=began, running_since=began)
        clock.seconds += 2
    assert runs.snapshot()["t"] == TaskRun(runs=1, last_start=began, last_duration=2.0)


def test_a_run_that_fails_keeps_its_error_and_frees_the_task(clock: Clock) -> None:
    runs = TaskRuns((), clock, clock)
    with pytest.raises(KeyError), runs.track("t"):
        raise KeyError("x" * 1000)
    with runs.track("t") as free:
        assert free
    run = runs.snapshot()["t"]
    assert (run.runs, run.failures, run.running_since) == (2, 1, None)
    assert run.last_error.startswith("KeyError: 'xxx")
    assert len(run.last_error) == MAX_ERROR_CHARACTERS


def test_a_run_is_skipped_while_the_previous_one_has_not_ended(clock: Clock) -> None:
    runs = TaskRuns(("t", "other"), clock, clock)
    with runs.track("t"):
        with runs.track("t") as free, runs.track("other") as other:
            assert (free, other) == (False, True)
        assert runs.snapshot()["t"].running_since is not None
    run = runs.snapshot()["t"]
    assert (run.runs, run.skipped, run.running_since) == (1, 1, None)


def test_a_task_of_an_app_that_nobody_embeds_just_runs() -> None:
    app = build_app(Config(), "alone")
    ran: list[int] = []

    @app.task(name="t", shared=False)
    def task() -> None:
        ran.append(1)

    task()
    assert ran == [1]


def test_a_task_says_that_it_was_skipped(clock: Clock) -> None:
    app = build_app(Config(), "skips")
    runs = TaskRuns(("t",), clock, clock)
    base: Any = app.Task
    base.runs = runs

    @app.task(name="t", shared=False)
    def task() -> str:
        return "ran"

    with runs.track("t"):
        assert task() == SKIPPED
    assert task() == "ran"


def test_nothing_that_a_task_raises_ends_a_thread_of_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    pool = DaemonPool(1, app=build_app(Config(), "pool"))
    pool.start()
    done = Event()

    def leave() -> None:
        raise SystemExit(3)

    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    pool.apply_async(leave, callback=fail)
    pool.apply_async(fail)
    pool.apply_async(done.set, callback=lambda _: None)
    assert done.wait(SECONDS)
    pool.stop()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "a task could not be brought to its end"
    ] * 2


def test_intervals_do_not_follow_the_wall_clock(clock: Clock) -> None:
    app = build_app(Config(), "steady")
    entries = beat_schedule(app, [PeriodicTask("expire", "loadstats.expire", 60.0)], clock)
    entry = entries["expire"]
    assert entry["options"] == {"queue": "metadata-center.steady", "expires": 60.0}
    begun = entry["schedule"].now()
    assert abs((datetime.now(UTC) - begun).total_seconds()) < SECONDS
    clock.seconds += 59
    assert not entry["schedule"].is_due(begun).is_due
    clock.seconds += 1
    assert entry["schedule"].is_due(begun).is_due


def test_a_message_of_a_short_interval_may_be_a_second_late(clock: Clock) -> None:
    entries = beat_schedule(build_app(Config(), "short"), [PeriodicTask("t", "t", 0.1)], clock)
    assert entries["t"]["options"]["expires"] == 1.0


def test_an_app_knows_the_shared_tasks_and_is_not_the_process_s_own() -> None:
    default, current = celery._state.default_app, celery._state._tls.current_app
    app = build_app(Config(), "shared")
    assert app.tasks["loadstats.expire"].app is app
    assert (celery._state.default_app, celery._state._tls.current_app) == (default, current)


def test_only_an_outside_broker_is_given_events_and_remote_control() -> None:
    inside = build_app(Config(), "n").conf
    assert (inside.worker_send_task_events, inside.worker_enable_remote_control) == (False, False)
    assert inside.broker_transport_options == {"polling_interval": 0.05}
    outside = build_app(Config(celery=CelerySettings(broker="redis://127.0.0.1:1/0")), "n").conf
    assert (outside.worker_send_task_events, outside.worker_enable_remote_control) == (True, True)
    assert "polling_interval" not in outside.broker_transport_options


@pytest.mark.parametrize("broker", ["nonsense://:secret@host", "redis://:secret@host:no-port/0"])
def test_a_broker_that_cannot_be_used_is_named_in_one_line_without_its_password(broker: str) -> None:
    with pytest.raises(ValueError, match=r"^\[Celery\] Broker: ") as caught:
        build_app(Config(celery=CelerySettings(broker=broker)), "n")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


class ExpiringCache(LocMemCache):
    def expire(self) -> None:
        self.set("expired", time.monotonic())


def test_the_expire_task_calls_the_ledger_s_cache(settings: Settings) -> None:
    settings.CACHES = {"loadstats": {"BACKEND": f"{__name__}.ExpiringCache"}}
    loadstats.tasks.expire()
    assert caches["loadstats"].get("expired") is not None

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Real Celery, worker and beat, in this process over `memory://`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from threading import Event, Semaphore
from typing import Any

import celery.worker.consumer.consumer
import celery.worker.state
import pytest
from celery import Celery
from celery.worker import WorkController

from runtime.config import Config
from runtime.health import PartState
from runtime.periodic import EmbeddedCelery, PeriodicTask, build_app, embedded, supervisor
from runtime.periodic.embedded import HEARTBEAT
from runtime.periodic.supervisor import Supervisor

SECONDS = 60.0  # how long a test waits for what must happen
WELL = (PartState.OK, "")
NAMES = count()


def eventually(condition: Callable[[], object]) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        Event().wait(0.01)


def celery_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("celery-")]


@pytest.fixture
def app() -> Celery:
    """Of a name of its own: the queues in memory outlive their apps."""
    return build_app(Config(), f"node-{next(NAMES)}")


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has died is started anew after so long that the state in between is seen, on a busy machine too."""
    monkeypatch.setattr(supervisor, "SHORTEST_PAUSE_SECONDS", 4.0)


@pytest.fixture
def embed(app: Celery) -> Iterator[Callable[..., EmbeddedCelery]]:
    """Start the app with these functions as periodic tasks, each by its name, 10 times a second."""
    nodes: list[EmbeddedCelery] = []

    def embed(*functions: Callable[[], object]) -> EmbeddedCelery:
        for function in functions:
            app.task(name=function.__name__, shared=False)(function)
        tasks = [PeriodicTask(function.__name__, function.__name__, 0.1) for function in functions]
        node = EmbeddedCelery(app, tasks)
        nodes.append(node)
        node.start()
        return node

    yield embed
    for node in nodes:
        node.stop(SECONDS)
    assert celery_threads() == []


class Ticking:
    """A task that counts its runs where a test can wait for them."""

    def __init__(self) -> None:
        self.runs = Semaphore(0)

    def see(self, runs: int) -> None:
        for _ in range(runs):
            assert self.runs.acquire(timeout=SECONDS), "it no longer runs"


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


def well(node: EmbeddedCelery) -> bool:
    return node.worker_state() == WELL and node.beat_state() == WELL


def test_a_periodic_task_runs_again_and_again(embed: Callable[..., EmbeddedCelery], ticking: Ticking) -> None:
    def tick() -> None:
        ticking.runs.release()

    node = embed(tick)
    ticking.see(3)
    eventually(lambda: well(node))
    run = node.last_runs["tick"]
    assert list(node.last_runs) == ["tick"], "the heartbeat is nobody's business"
    assert (run.runs >= 2, run.failures, run.skipped, run.last_error) == (True, 0, 0, "")
    assert run.last_start == pytest.approx(time.time(), abs=SECONDS)
    assert run.last_duration is not None


def test_a_task_that_raises_is_counted_and_goes_on(embed: Callable[..., EmbeddedCelery], ticking: Ticking) -> None:
    def bad() -> None:
        raise LookupError("no such host")

    def worse() -> None:
        raise SystemExit(3)

    def tick() -> None:
        ticking.runs.release()

    node = embed(bad, worse, tick)
    eventually(lambda: node.last_runs["bad"].failures >= 2 and node.last_runs["worse"].failures >= 2)
    assert node.last_runs["bad"].last_error == "LookupError: no such host"
    assert node.last_runs["worse"].last_error == "SystemExit: 3"
    ticking.see(node.last_runs["tick"].runs + 2)
    eventually(lambda: well(node))


def test_a_task_that_hangs_stops_nothing_and_is_not_run_twice(
    embed: Callable[..., EmbeddedCelery], ticking: Ticking
) -> None:
    release = Event()
    entered = Semaphore(0)

    def hang() -> None:
        entered.release()
        release.wait(SECONDS * 3)

    def tick() -> None:
        ticking.runs.release()

    node = embed(hang, tick)
    try:
        assert entered.acquire(timeout=SECONDS)
        eventually(lambda: node.last_runs["hang"].skipped >= 3)
        ticking.see(3)
        eventually(lambda: well(node))
        run = node.last_runs["hang"]
        assert (run.runs, run.running_since) == (0, run.last_start)
        assert not entered.acquire(blocking=False)

        began = time.monotonic()
        node.stop(SECONDS)
        assert time.monotonic() - began < SECONDS / 2, "it does not wait for what hangs"
        left = [thread for thread in threading.enumerate() if thread.name.startswith("celery-")]
        assert [thread.daemon for thread in left] == [True], "only the hung one is left, and it holds up no exit"

        node.start()
        ticking.see(node.last_runs["tick"].runs + 1)
        assert not entered.acquire(blocking=False), "it hangs over a restart, too"
    finally:
        release.set()
    assert entered.acquire(timeout=SECONDS), "it runs again once it has ended"


@pytest.mark.usefixtures("long_pause")
def test_a_worker_that_dies_is_started_anew(
    embed: Callable[..., EmbeddedCelery], ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = celery.worker.consumer.consumer.loops
    real = loops.synloop
    die = Event()
    dead = Event()

    def deadly(obj: Any, connection: Any, consumer: Any, *args: Any, **kwargs: Any) -> None:
        if dead.is_set():
            real(obj, connection, consumer, *args, **kwargs)
            return
        drain = connection.drain_events

        def drain_events(**options: Any) -> Any:
            if die.is_set():
                dead.set()
                raise RuntimeError("boom")
            return drain(**options)

        monkeypatch.setattr(connection, "drain_events", drain_events)
        real(obj, connection, consumer, *args, **kwargs)

    monkeypatch.setattr(loops, "synloop", deadly)

    def tick() -> None:
        ticking.runs.release()

    node = embed(tick)
    ticking.see(1)
    die.set()
    eventually(lambda: node.worker_state() == (PartState.FAILED, "ended"))
    assert dead.is_set()
    ticking.see(node.last_runs["tick"].runs + 2)
    eventually(lambda: well(node))


@pytest.mark.usefixtures("long_pause")
def test_a_beat_that_dies_is_started_anew(
    embed: Callable[..., EmbeddedCelery], ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    die = Event()
    real = embedded._Scheduler.tick

    def tick_once(self: Any) -> Any:
        if die.is_set():
            die.clear()
            raise RuntimeError("boom")
        return real(self)

    monkeypatch.setattr(embedded._Scheduler, "tick", tick_once)

    def tick() -> None:
        ticking.runs.release()

    node = embed(tick)
    ticking.see(1)
    die.set()
    eventually(lambda: node.beat_state() == (PartState.FAILED, "RuntimeError: boom"))
    ticking.see(node.last_runs["tick"].runs + 2)
    eventually(lambda: well(node))


def test_the_queue_is_bounded_while_the_worker_is_away(
    app: Celery, embed: Callable[..., EmbeddedCelery], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise RuntimeError("no worker today")

    monkeypatch.setattr(WorkController, "start", away)
    monkeypatch.setattr(embedded, "MAX_WAITING_MESSAGES", 5)
    ticked = Semaphore(0)
    real = embedded._Scheduler.apply_entry

    def counted(self: Any, entry: Any, producer: Any = None) -> None:
        real(self, entry, producer)
        ticked.release()

    monkeypatch.setattr(embedded._Scheduler, "apply_entry", counted)

    def tick() -> None: ...

    node = embed(tick)
    for _ in range(10):
        assert ticked.acquire(timeout=SECONDS)
    with app.connection_for_read() as connection:
        queue: Any = app.amqp.queues[app.conf.task_default_queue]
        assert queue.bind(connection.channel()).queue_declare().message_count == 5
    eventually(lambda: node.beat_state() == WELL)
    eventually(lambda: node.worker_state() == (PartState.FAILED, "RuntimeError: no worker today"))


def test_it_stops_cleanly_and_starts_again(embed: Callable[..., EmbeddedCelery], ticking: Ticking) -> None:
    def tick() -> None:
        ticking.runs.release()

    node = embed(tick)
    for _ in range(3):
        ticking.see(node.last_runs["tick"].runs + 1)
        assert set(celery_threads()) >= {"celery-worker", "celery-beat", "celery-task-0"}
        assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("celery-"))
        began = time.monotonic()
        node.stop(SECONDS)
        assert time.monotonic() - began < SECONDS / 2
        assert celery_threads() == []
        assert node.worker_state() == node.beat_state() == (PartState.STOPPED, "")
        node.start()


def test_it_stops_when_told_while_it_starts(
    embed: Callable[..., EmbeddedCelery], monkeypatch: pytest.MonkeyPatch
) -> None:
    starting, told = Event(), Event()

    def reset_state() -> None:
        starting.set()
        assert told.wait(SECONDS)

    def never(_: object) -> None:
        raise AssertionError("told to stop before it began")

    monkeypatch.setattr(celery.worker.state, "reset_state", reset_state)
    monkeypatch.setattr(WorkController, "start", never)
    node = embed()
    assert starting.wait(SECONDS)
    stop = threading.Thread(target=node.stop, args=(SECONDS,))
    stop.start()
    eventually(lambda: node.beat_state()[0] is PartState.STOPPED)
    told.set()
    stop.join(SECONDS)
    assert celery_threads() == []
    assert node.worker_state() == (PartState.STOPPED, "")


def test_it_leaves_signals_stdout_and_logging_alone(
    embed: Callable[..., EmbeddedCelery], ticking: Ticking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def global_state() -> object:
        handlers = [(name, logging.getLogger(name).handlers[:]) for name in (None, "celery", "kombu", "celery.task")]
        signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return signals, sys.stdout, sys.stderr, handlers, logging.getLogger().level

    before = global_state()

    def tick() -> None:
        ticking.runs.release()

    node = embed(tick)
    ticking.see(3)
    eventually(lambda: well(node))
    assert global_state() == before
    routine = [record for record in caplog.records if "tick" in record.getMessage() or HEARTBEAT in record.getMessage()]
    assert routine == [], "two lines for each run of each task would drown the log"
    node.stop(SECONDS)
    assert global_state() == before


def test_not_even_the_first_run_is_told_of(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker may take the first heartbeat before `start` returns."""
    caplog.set_level(logging.INFO)

    def start(supervisor: Supervisor) -> None:
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).info("Task %s received", HEARTBEAT)
            logging.getLogger(name).warning("Task of another kind")

    monkeypatch.setattr(Supervisor, "start", start)
    node = EmbeddedCelery(app, [])
    node.start()
    assert {record.getMessage() for record in caplog.records} == {"Task of another kind"}
    node.stop()
    logging.getLogger("celery.worker.strategy").info("as ever")
    assert caplog.records[-1].getMessage() == "as ever"


def test_a_task_may_be_asked_for_by_hand(app: Celery) -> None:
    ran = Event()
    app.task(name="seldom", shared=False)(ran.set)
    seldom = PeriodicTask("seldom", "seldom", 3600.0)
    node = EmbeddedCelery(app, [seldom])
    assert node.periodic == (seldom,)
    node.start()
    try:
        eventually(lambda: well(node))
        assert not ran.is_set()
        node.run_now(seldom)
        assert ran.wait(SECONDS)
        eventually(lambda: node.last_runs["seldom"].runs == 1)
    finally:
        node.stop()


def test_it_refuses_a_periodic_task_that_is_not_registered(app: Celery) -> None:
    with pytest.raises(ValueError, match=r"'expire' names 'loadstats\.expired'"):
        EmbeddedCelery(app, [PeriodicTask("expire", "loadstats.expired", 60.0)])

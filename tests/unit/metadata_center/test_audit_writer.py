# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail's way to its table: bounded, off the caller's thread, and indifferent to a database that is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event, current_thread
from time import monotonic, sleep

import pytest
from django.db import DataError, OperationalError

from edge.audit import AuditLine, Outcome
from metadata_center.audit.store import AuditStore
from metadata_center.audit.writer import AuditWriter
from metadata_center.models import AuditEntry


def line(number: int, time: float = 0.0) -> AuditLine:
    return AuditLine(time, f"act {number}", Outcome.DONE, "user anna", "10.0.0.7", "{}")


class Table:
    """Keeps lines; raises what `problem` says, and is entered only while `open` is set."""

    def __init__(self) -> None:
        self.lines: list[AuditLine] = []
        self.threads: set[str] = set()
        self.pruned: list[float] = []
        self.problem: Exception | None = None
        self.tries = 0
        self.open = Event()
        self.open.set()

    def save(self, lines: Sequence[AuditLine]) -> None:
        self.tries += 1
        assert self.open.wait(60)
        self.threads.add(current_thread().name)
        if self.problem is not None:
            raise self.problem
        self.lines += lines

    def prune(self, now: float) -> int:
        self.pruned.append(now)
        if self.problem is not None:
            raise self.problem
        return 0


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def writer(table: Table) -> Iterator[AuditWriter]:
    writer = AuditWriter(table, close_connection=lambda: None, retry_seconds=0.001, idle_seconds=0.001, most_waiting=50)
    yield writer
    table.open.set()
    writer.stop(60)


def test_lines_reach_the_table_in_order_on_the_threads_own(table: Table, writer: AuditWriter) -> None:
    for number in range(40):
        writer.put(line(number))  # before the start, too
    writer.start()
    until(lambda: len(table.lines) == 40)
    writer.put(line(40))
    until(lambda: len(table.lines) == 41)
    assert [each.act for each in table.lines] == [f"act {number}" for number in range(41)]
    assert table.threads == {"audit"}
    until(lambda: writer.waiting == 0)
    assert writer.lost == 0
    until(lambda: bool(table.pruned))


def test_a_table_that_stands_still_holds_up_no_one_and_bounds_what_waits(table: Table, writer: AuditWriter) -> None:
    table.open.clear()
    writer.start()
    for number in range(1000):
        writer.put(line(number))
    assert writer.waiting == 50
    assert writer.lost == 950
    table.open.set()
    until(lambda: len(table.lines) == 50)


def test_a_database_that_is_away_gets_the_lines_when_it_is_back(
    table: Table, writer: AuditWriter, caplog: pytest.LogCaptureFixture
) -> None:
    table.problem = OperationalError("connection refused")
    writer.start()
    for number in range(20):
        writer.put(line(number))
    until(lambda: table.tries > 5)
    assert table.lines == []
    assert writer.lost == 0
    table.problem = None
    until(lambda: len(table.lines) == 20)
    assert len([record for record in caplog.records if "cannot be written now" in record.message]) == 1


@pytest.mark.parametrize("problem", [DataError("too long"), ValueError("a fault of ours")])
def test_lines_that_no_table_takes_are_given_up(table: Table, writer: AuditWriter, problem: Exception) -> None:
    table.problem = problem
    writer.put(line(0))
    writer.start()
    until(lambda: writer.lost == 1)
    until(lambda: writer.waiting == 0)
    table.problem = None
    writer.put(line(1))
    until(lambda: [each.act for each in table.lines] == ["act 1"])


def test_a_stop_writes_what_is_left_and_does_not_wait_for_a_database_that_is_away(table: Table) -> None:
    writer = AuditWriter(table, close_connection=lambda: None)
    for number in range(1000):
        writer.put(line(number))
    writer.start()
    writer.stop(60)
    assert len(table.lines) == 1000
    writer.put(line(1000))
    assert writer.lost == 1
    away = Table()
    away.problem = OperationalError("connection refused")
    writer = AuditWriter(away, close_connection=lambda: None)
    writer.put(line(0))
    writer.start()
    writer.stop(60)
    assert away.tries <= 2


def test_a_stop_without_a_start_is_none(table: Table) -> None:
    AuditWriter(table, close_connection=lambda: None).stop()


@pytest.mark.django_db
def test_the_table_is_pruned_by_age_and_by_number() -> None:
    store = AuditStore("10.0.0.1:8080", max_entries=30, max_age_seconds=1000.0)
    store.save([line(number, time=float(number * 100)) for number in range(100)])
    assert AuditEntry.objects.count() == 100
    assert store.prune(now=7000.0) == 70
    assert list(AuditEntry.objects.order_by("id").values_list("act", flat=True)) == [f"act {n}" for n in range(70, 100)]
    assert store.prune(now=10_500.0) == 25
    assert store.prune(now=10_500.0) == 0
    (row,) = AuditEntry.objects.filter(act="act 99")
    assert (row.node, row.who, row.client) == ("10.0.0.1:8080", "user anna", "10.0.0.7")
    assert (row.outcome, row.what) == ("done", "{}")
    assert row.time.timestamp() == 9900.0

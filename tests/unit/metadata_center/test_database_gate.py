# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The gate before the accounts' database, the thread that minds it, and how long is waited."""

from __future__ import annotations

from threading import Thread
from typing import Any, ClassVar

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.http import HttpRequest
from django.test import RequestFactory

from edge.errors import Unavailable
from edge.middleware import EdgeMiddleware
from edge.pages import database_away
from edge.session_caller import session_caller
from metadata_center.accounts.keeper import DatabaseKeeper
from metadata_center.postgresql.base import DatabaseAway
from metadata_center.postgresql.failure import BY_STATE, in_words
from metadata_center.postgresql.gate import DatabaseGate
from metadata_center.postgresql.patience import LEAST_SECONDS, PAGE_SECONDS, STATEMENT_SECONDS, Patience
from runtime.config import ConfigError
from runtime.health import PartState


class Database:
    """What a keeper does to one, scripted: the errors that come next, and what was called."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.prepare_fails: list[Exception] = []
        self.look_fails: list[Exception] = []
        self.remark = ""
        self.gate = DatabaseGate()
        self.keeper = DatabaseKeeper(self.gate, self.prepare, self.look)

    def prepare(self) -> None:
        self.done.append("prepare")
        if self.prepare_fails:
            raise self.prepare_fails.pop(0)

    def look(self) -> str:
        self.done.append("look")
        if self.look_fails:
            raise self.look_fails.pop(0)
        return self.remark


def test_pages_are_let_in_once_it_is_prepared_and_it_is_prepared_once() -> None:
    database = Database()
    assert database.gate.probe()[0] is PartState.STARTING
    assert not database.gate.admits()
    database.keeper.turn()
    database.keeper.turn()
    assert database.gate.admits()
    assert database.gate.probe() == (PartState.OK, "")
    assert database.done == ["prepare", "look", "look"]


def test_a_node_that_starts_without_it_prepares_it_when_it_is_there() -> None:
    database = Database()
    refused = OperationalError("connection to server at 10.0.0.7 failed: Connection refused")
    database.prepare_fails = [refused, ConfigError("[Web] Database: another process migrates")]
    database.keeper.turn()
    assert database.gate.probe() == (PartState.DEGRADED, "connection refused")
    database.keeper.turn()
    assert not database.gate.is_open
    database.keeper.turn()
    assert database.gate.is_open


def test_one_that_comes_back_empty_is_prepared_anew() -> None:
    database = Database()
    database.keeper.turn()
    database.look_fails = [OperationalError("gone"), ProgrammingError('relation "auth_user" does not exist')]
    for _ in range(3):
        database.keeper.turn()
    assert database.done == ["prepare", "look", "look", "look", "prepare", "look"]
    assert database.gate.is_open


def test_a_remark_is_shown_and_keeps_nobody_out() -> None:
    database = Database()
    database.remark = "keys differ"
    database.keeper.turn()
    assert database.gate.probe() == (PartState.DEGRADED, "keys differ")
    assert database.gate.admits()


def test_any_fault_closes_and_the_next_turn_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    database = Database()
    database.prepare_fails = [LookupError("a migration of ours"), LookupError("a migration of ours")]
    for _ in range(3):
        database.keeper.turn()
    assert database.gate.is_open
    assert caplog.text.count("Traceback") == 1  # the same again is no news


def test_a_page_that_fails_closes_the_gate_and_wakes_the_keeper() -> None:
    database = Database()
    database.keeper.turn()
    database.gate.report("no answer")
    assert not database.gate.admits()
    database.gate.wait_for_report(3600.0)  # comes back at once


def test_the_keepers_thread_alone_comes_through_a_closed_gate() -> None:
    gate = DatabaseGate()
    seen: list[bool] = []

    def keeper() -> None:
        gate.keep()
        gate.close("away")
        gate.report("what the keeper sees it says by itself")
        seen.append(gate.admits())

    thread = Thread(target=keeper)
    thread.start()
    thread.join()
    assert seen == [True]
    assert not gate.admits()
    assert gate.reason == "away"


def test_the_thread_starts_looks_and_stops() -> None:
    database = Database()
    database.keeper.start()
    assert database.gate.wait_until_known(60.0)
    database.keeper.stop()
    assert database.done[:2] == ["prepare", "look"]


def test_all_waits_of_a_page_together_have_an_end() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    assert patience.left() is None  # a command: a person waits
    patience.statement_seconds = STATEMENT_SECONDS
    patience.begin_page()
    assert patience.left() == STATEMENT_SECONDS
    now[0] = PAGE_SECONDS - 0.5
    assert patience.left() == 0.5
    now[0] = 1000.0
    assert patience.left() == LEAST_SECONDS
    patience.end_page()
    assert patience.left() == STATEMENT_SECONDS


def test_what_everyone_may_read_names_no_host_and_no_user() -> None:
    refused = OperationalError(
        'connection to server at "10.0.0.7" failed: FATAL: password authentication failed for "u"'
    )
    assert in_words(refused) == "it refuses the user or the password"
    strange = OperationalError("something about 10.0.0.7")
    assert in_words(strange) == "OperationalError, see the log"

    class Numbered(Exception):
        sqlstate = "57P03"

    assert in_words(Numbered("the database system is starting up")) == BY_STATE["57P"]


class Away:
    """A request of somebody with a session, whose account cannot be read."""

    COOKIES: ClassVar = {"sessionid": "x"}

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    @property
    def user(self) -> Any:
        raise self._error("x")


@pytest.mark.parametrize(
    ("error", "said"), [(OperationalError, Unavailable), (DatabaseAway, Unavailable), (IntegrityError, IntegrityError)]
)
def test_the_doors_say_so_too(error: type[Exception], said: type[Exception]) -> None:
    with pytest.raises(said):
        session_caller(Away(error), "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OperationalError, True),
        (InterfaceError, True),
        (IntegrityError, False),
        (ProgrammingError, False),
        (ValueError, False),
    ],
)
def test_a_page_says_that_the_database_is_away_and_hides_no_fault_of_ours(
    rf: RequestFactory, error: type[Exception], away: bool
) -> None:
    assert (database_away(error("x")) is not None) is away

    def nothing(request: HttpRequest) -> Any:
        raise AssertionError

    answer = EdgeMiddleware(nothing).process_exception(rf.get("/admin/", HTTP_ACCEPT="text/html"), error("x"))
    assert (answer is not None) is away
    if answer is not None:
        assert answer.status_code == 503
        assert answer["Retry-After"]
        assert "database of people" in answer.content.decode()

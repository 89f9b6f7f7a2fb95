# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a session has opened ends with the session, and stays while no one can say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from edge.caller import Caller, Scope
from edge.lasting import Lasting
from edge.session_caller import SignedIn, cookie_caller, cookie_caller_of_thread
from metadata_center.accounts.open_sessions import CHUNK, ended_sessions
from metadata_center.accounts.session_watch import SessionWatch

SECONDS = 60.0
ANNA = SignedIn("user anna", frozenset({Scope.READ}), session_key="a" * 32, account=1, auth_hash="x")
BOB = SignedIn("user bob", frozenset({Scope.READ}), session_key="b" * 32, account=2, auth_hash="y")
KEY = Caller("key gateway", frozenset({Scope.READ}))


def signed_in(name: str = "anna") -> tuple[User, Client, SignedIn]:
    """An account, its browser, and the caller that its socket has."""
    account = User.objects.create_user(name, password="as it was", is_staff=True)
    client = Client()
    client.force_login(account)
    caller = cookie_caller(f"sessionid={client.cookies['sessionid'].value}")
    assert caller is not None
    return account, client, caller


def disable(account: User, client: Client) -> None:
    User.objects.filter(pk=account.pk).update(is_active=False)


def take_the_permission(account: User, client: Client) -> None:
    User.objects.filter(pk=account.pk).update(is_staff=False)


def delete(account: User, client: Client) -> None:
    account.delete()


def change_the_password(account: User, client: Client) -> None:
    account.set_password("another")
    account.save()


def log_out(account: User, client: Client) -> None:
    client.logout()


def let_it_expire(account: User, client: Client) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "end",
    [disable, take_the_permission, delete, change_the_password, log_out, let_it_expire],
    ids=lambda end: end.__name__,
)
def test_a_session_ends_with_what_let_its_person_in(end: Callable[[User, Client], None]) -> None:
    account, client, caller = signed_in()
    assert ended_sessions([caller]) == frozenset()
    end(account, client)
    assert ended_sessions([caller]) == {caller}


@pytest.mark.django_db
def test_others_go_on_and_all_are_judged_by_two_queries() -> None:
    account, client, anna = signed_in()
    _, _, bob = signed_in("bob")
    many = [SignedIn("user gone", frozenset(), session_key=f"{n}", account=n, auth_hash="") for n in range(CHUNK - 2)]
    disable(account, client)
    with CaptureQueriesContext(connection) as queries:
        ended = ended_sessions([anna, bob, *many])
    assert ended == {anna, *many}
    assert len(queries) == 2
    assert bob not in ended_sessions([*many, anna, bob])  # also in a second portion
    assert ended_sessions([]) == frozenset()


def test_a_caller_shows_nothing_of_its_cookie() -> None:
    assert ANNA.session_key not in f"{ANNA} {ANNA!r}"


@pytest.mark.django_db
def test_a_cookie_that_is_no_sessions_is_no_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.session_caller.close_old_connections", lambda: None)  # the test's is kept
    _, _, caller = signed_in()
    assert cookie_caller_of_thread(f"sessionid={caller.session_key}") == caller
    assert cookie_caller_of_thread("sessionid=unknown") is None
    assert cookie_caller_of_thread("other=1") is None


class Opened:
    """Sockets of callers, and which of them were closed."""

    def __init__(self, *callers: Caller) -> None:
        self.lasting = Lasting()
        self.closed: list[str] = []
        for each in callers:
            self.open(each)

    def open(self, caller: Caller) -> None:
        self.lasting.begin(caller, lambda: self.closed.append(caller.name))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def some_turns() -> None:
    """Let the watch's timer run several times: the loop calls what is due in its order."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, over.set)
    await over.wait()


def run(watch: SessionWatch, test: Callable[[], Any]) -> None:
    """Run the test on a loop while the watch looks."""

    async def running() -> None:
        watch.start()
        try:
            await test()
        finally:
            await watch.stop()
            watch.close()

    asyncio.run(running())


def test_what_a_session_opened_is_closed_when_it_has_ended() -> None:
    opened = Opened(ANNA, BOB, KEY)
    asked: list[frozenset[SignedIn]] = []

    def judge(sessions: Collection[SignedIn]) -> frozenset[SignedIn]:
        asked.append(frozenset(sessions))
        return frozenset({ANNA}) & frozenset(sessions)

    watch = SessionWatch(opened.lasting, judge, interval_seconds=0.001)

    async def test() -> None:
        await until(lambda: opened.closed and asked[-1] == {BOB})
        assert opened.closed == ["user anna"]
        assert asked[0] == {ANNA, BOB}  # keys are judged elsewhere
        assert watch.ended == 1

    run(watch, test)
    assert opened.lasting.begun == 2


def test_an_account_that_is_enabled_again_is_let_in_again() -> None:
    opened = Opened(ANNA)
    watch = SessionWatch(opened.lasting, lambda sessions: frozenset({ANNA}), interval_seconds=0.001)

    async def test() -> None:
        await until(lambda: opened.closed)
        watch.close()  # no look from now on, and the loop goes on with what it knows
        await some_turns()
        opened.open(ANNA)
        await some_turns()
        assert opened.closed == ["user anna"]

    run(watch, test)


def test_while_the_database_is_away_all_stays_open_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    opened = Opened(ANNA, BOB)
    looks: list[bool] = []
    away = [True]

    def judge(sessions: Collection[SignedIn]) -> frozenset[SignedIn]:
        looks.append(True)
        if away[0]:
            raise OperationalError("no answer")
        return frozenset({BOB})

    watch = SessionWatch(opened.lasting, judge, interval_seconds=0.001)

    async def test() -> None:
        await until(lambda: len(looks) > 3)
        assert opened.closed == []
        away[0] = False
        await until(lambda: opened.closed)

    with caplog.at_level(logging.WARNING, "metadata_center.accounts"):
        run(watch, test)
    assert opened.closed == ["user bob"]
    (line,) = [each for each in caplog.messages if "can't be read" in each]
    assert line.endswith("stays open: no answer")


def test_without_sessions_nothing_is_read() -> None:
    opened = Opened(KEY)
    looked: list[bool] = []

    def judge(sessions: Collection[SignedIn]) -> frozenset[SignedIn]:
        looked.append(True)
        return frozenset()

    watch = SessionWatch(opened.lasting, judge, interval_seconds=0.001)
    run(watch, some_turns)
    assert not looked

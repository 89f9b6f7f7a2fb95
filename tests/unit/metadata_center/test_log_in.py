# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Log-in: bounded tries, errors that tell nothing, sessions with two ends, cookies and password rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from metadata_center.accounts import sessions
from metadata_center.accounts.log_in import client_address
from metadata_center.tasks import clear_sessions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node")]

SECRET = "long enough and of no one"
HERE, THERE = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", password=SECRET)


def log_in(name: str, password: str, address: str = HERE, **headers: str) -> int:
    return (
        Client(REMOTE_ADDR=address, **headers)
        .post(reverse("admin:login"), {"username": name, "password": password})
        .status_code
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["boss", "nobody"])
def test_tries_of_an_account_from_an_address_are_bounded_whether_there_is_such_an_account_or_not(
    boss: User, name: str
) -> None:
    assert [log_in(name, f"wrong {turn}", HTTP_USER_AGENT=f"agent {turn}") for turn in range(6)] == [200] * 4 + [
        429
    ] * 2
    assert log_in(name, SECRET) == 429
    assert AccessAttempt.objects.count() == 1  # a row for the pair, whatever the client calls itself
    assert AccessAttempt.objects.get().failures_since_start == 5  # refused tries are not counted: the pause ends
    assert log_in("boss", SECRET, THERE) == 302  # a stranger keeps nobody out who is elsewhere


@pytest.mark.no_cover
def test_tries_of_an_account_from_all_addresses_are_bounded(boss: User) -> None:
    answers = [log_in("boss", "wrong", f"10.0.1.{turn}") for turn in range(21)]
    assert answers == [200] * 19 + [429] * 2
    assert log_in("boss", SECRET, THERE) == 429
    assert AccessAttempt.objects.count() == 20


def test_tries_from_an_address_at_all_accounts_are_bounded(boss: User) -> None:
    assert [log_in(f"name {turn}", "wrong") for turn in range(21)] == [200] * 19 + [429] * 2
    assert log_in("boss", SECRET) == 429
    assert log_in("boss", SECRET, THERE) == 302


def test_the_pause_ends(boss: User, settings: Any) -> None:
    for turn in range(5):
        log_in("boss", f"wrong {turn}")
    assert log_in("boss", SECRET) == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1))
    assert log_in("boss", SECRET) == 302
    log_in("boss", "wrong")
    assert AccessAttempt.objects.count() == 1  # what is old is removed


@pytest.mark.no_cover
def test_a_right_password_forgives_its_own_pair_and_no_other(boss: User) -> None:
    User.objects.create_superuser("mallory", password=SECRET)
    for turn in range(4):
        log_in("boss", f"wrong {turn}")
        log_in("mallory", "wrong")
    assert log_in("mallory", SECRET) == 302
    assert log_in("boss", "wrong") == 429
    assert log_in("boss", SECRET, THERE) == 302


def test_an_error_is_the_same_whatever_is_wrong(boss: User) -> None:
    User.objects.create_user("plain", password=SECRET)
    User.objects.create_superuser("gone", password=SECRET, is_active=False)
    pages = set()
    for name, password in (("boss", "wrong"), ("nobody", "wrong"), ("plain", SECRET), ("gone", SECRET)):
        page = Client(REMOTE_ADDR=HERE).post(reverse("admin:login"), {"username": name, "password": password})
        pages.add(str(page.context["form"].non_field_errors()))
    assert len(pages) == 1
    refused = Client(REMOTE_ADDR=HERE, HTTP_ACCEPT="text/html")
    for _ in range(5):
        page = refused.post(reverse("admin:login"), {"username": "<b>", "password": "wrong"})
    assert page.status_code == 429
    assert page["Retry-After"] == "900"
    assert "<b>" not in page.content.decode()


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxy", "counted"),
    [
        ("10.0.0.7", "", False, "10.0.0.7"),
        ("10.0.0.7", "1.2.3.4", False, "10.0.0.7"),  # anyone can send that
        ("10.0.0.7", "6.6.6.6, 1.2.3.4", True, "1.2.3.4"),  # the proxy has added the last
        ("10.0.0.7", "", True, "10.0.0.7"),
        ("10.0.0.7", "nonsense", True, "0.0.0.0"),
        ("::ffff:10.0.0.7", "", False, "10.0.0.7"),
        ("fd00:1:2:3:4:5:6:7", "", False, "fd00:1:2:3::"),
        ("fe80::1%eth0", "", False, "fe80::"),
        ("", "", False, "0.0.0.0"),
    ],
)
def test_tries_are_counted_for_the_real_client(
    rf: RequestFactory, settings: Any, remote: str, forwarded: str, proxy: bool, counted: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if proxy else None
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert client_address(rf.get("/", REMOTE_ADDR=remote, **headers)) == counted


class Clock:
    def __init__(self) -> None:
        self.now = timezone.now().timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sessions, "time", clock)
    return clock


def signed_in() -> Client:
    client = Client(REMOTE_ADDR=HERE)
    assert client.post(reverse("admin:login"), {"username": "boss", "password": SECRET}).status_code == 302
    return client


def seen(client: Client) -> bool:
    return client.get(reverse("admin:index")).status_code == 200


def test_a_log_in_ends_in_any_case(boss: User, clock: Clock, settings: Any) -> None:
    client = signed_in()
    for _ in range(11):
        clock.now += settings.SESSION_MAX_SECONDS / 12
        assert seen(client)
    assert client.session.get_expiry_age() <= settings.SESSION_MAX_SECONDS / 12
    clock.now += settings.SESSION_MAX_SECONDS / 12
    assert not seen(client)
    assert Session.objects.count() == 0


def test_a_new_log_in_begins_anew(boss: User, clock: Clock, settings: Any) -> None:
    client = signed_in()
    clock.now += settings.SESSION_MAX_SECONDS - 60
    client.post(reverse("admin:login"), {"username": "boss", "password": SECRET})
    clock.now += 3600
    assert seen(client)


def test_a_log_in_that_is_used_stays_and_is_not_written_at_each_page(
    boss: User, clock: Clock, django_assert_num_queries: Any
) -> None:
    client = signed_in()
    assert seen(client)
    ends = Session.objects.get().expire_date
    clock.now += 10
    assert seen(client)
    assert Session.objects.get().expire_date == ends
    clock.now += 60
    assert seen(client)
    assert Session.objects.get().expire_date > ends


def test_a_log_in_that_is_not_used_ends(boss: User, settings: Any) -> None:
    client = signed_in()
    assert abs(client.session.get_expiry_age() - settings.SESSION_COOKIE_AGE) < 60
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not seen(client)
    clear_sessions()
    assert Session.objects.count() == 0


def test_a_link_logs_nobody_out_and_a_form_does(boss: User) -> None:
    client = signed_in()
    assert client.get(reverse("admin:logout")).status_code == 405
    assert seen(client)
    client.post(reverse("admin:logout"))
    assert not seen(client)


def test_a_new_password_ends_all_log_ins(boss: User) -> None:
    client = signed_in()
    boss.set_password("another that is long enough")
    boss.save()
    assert not seen(client)


def test_cookies_are_out_of_reach(boss: User) -> None:
    client = Client(REMOTE_ADDR=HERE)
    client.get(reverse("admin:login"))
    client.post(reverse("admin:login"), {"username": "boss", "password": SECRET})
    for name in ("sessionid", "csrftoken"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


@pytest.mark.parametrize("password", ["short one", "123456789012", "password1234", "boss-boss-boss"])
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(username="boss-boss-boss"))
    validate_password(SECRET)

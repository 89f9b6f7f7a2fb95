# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The keys of the database: made, read, used, revoked, and what it costs to see that nothing changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.database_source import DatabaseSource
from access.key_ring import KeyRing
from access.key_text import digest_of
from access.made_key import WrongKey, end_of, make_key
from access.models import AccessKey
from access.source import SourceWatch
from edge.caller import Scope

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's connection is kept: the source runs on its thread here."""
    monkeypatch.setattr("access.database_source.close_old_connections", lambda: None)


def test_a_made_key_is_found_and_only_its_digest_is_stored() -> None:
    row, key = make_key("gw", ["write", "read"], ["prod-*", "prod-*"], NOW + timedelta(days=36500), "anna")
    stored = {field.name: str(getattr(row, field.name)) for field in AccessKey._meta.fields}
    assert not any(key in text or key[8:] in text for text in stored.values())
    assert stored["hint"] == key[:7]
    (found,) = DatabaseSource().look() or []
    assert found.digest == digest_of(key.encode())
    assert (found.name, found.row) == ("gw", row.pk)
    assert found.caller.scopes == {Scope.READ, Scope.WRITE}
    assert found.caller.clusters == ("prod-*",)
    assert found.expires == (NOW + timedelta(days=36500)).timestamp()


def test_nothing_changed_costs_one_query_of_sums() -> None:
    source = DatabaseSource()
    assert source.look() == []
    for number in range(3):
        make_key(f"k{number}", ["read"], [], None, "anna")
    assert len(source.look() or []) == 3
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert source.look() is None
    (query,) = queries.captured_queries
    assert "SUM" in query["sql"]


def test_any_change_of_what_a_key_grants_is_seen() -> None:
    source = DatabaseSource()
    row, _ = make_key("gw", ["read"], [], None, "anna")
    source.look()
    row.clusters = ["a"]
    row.save()
    (found,) = source.look() or []
    assert found.caller.clusters == ("a",)
    row.revoke()
    assert source.look() == []
    again, _ = make_key("gw", ["read"], [], None, "anna")
    assert len(source.look() or []) == 1
    AccessKey.objects.filter(pk=again.pk).delete()
    assert source.look() == []


def test_revoking_twice_keeps_the_first_time() -> None:
    row, _ = make_key("gw", ["read"], [], None, "anna")
    row.revoke()
    first = row.revoked_at
    row.revoke()
    assert row.revoked_at == first
    assert row.state == "revoked"


def test_a_row_that_cannot_be_read_keeps_no_other_from_being_read(caplog: pytest.LogCaptureFixture) -> None:
    wrong, _ = make_key("wrong", ["read"], [], None, "anna")
    newer, _ = make_key("newer", ["read"], [], None, "anna")
    make_key("gw", ["read"], [], None, "anna")
    AccessKey.objects.filter(pk=wrong.pk).update(digest="no digest")
    AccessKey.objects.filter(pk=newer.pk).update(scopes=["read", "fly"])  # of a later release
    found = {each.name: each.caller.scopes for each in DatabaseSource().look() or []}
    assert found == {"newer": {Scope.READ}, "gw": {Scope.READ}}
    assert '"wrong"' in caplog.text


def test_use_is_written_once_a_minute_and_changes_nothing_else() -> None:
    clock = [0.0]
    source = DatabaseSource(monotonic=lambda: clock[0], now=lambda: NOW)
    ring = KeyRing()
    watch = SourceWatch(source, ring)
    _, key = make_key("gw", ["read"], [], None, "anna")
    make_key("idle", ["read"], [], None, "anna")
    watch.look()

    def used() -> dict[str, Any]:
        watch.look()
        return dict(AccessKey.objects.values_list("name", "last_used_at"))

    assert ring.find({b"x-api-key": key.encode()}) is not None
    clock[0] = 59.0
    assert used() == {"gw": None, "idle": None}
    clock[0] = 60.0
    assert used() == {"gw": NOW, "idle": None}
    caller = ring.find({b"x-api-key": key.encode()})
    AccessKey.objects.update(last_used_at=None)
    clock[0] = 119.0
    assert used()["gw"] is None
    clock[0] = 120.0
    assert used()["gw"] == NOW
    clock[0] = 180.0
    AccessKey.objects.update(last_used_at=None)
    assert used()["gw"] is None  # not used since
    assert source.look() is None
    assert caller is not None
    assert ring.holds(caller)


def test_the_last_known_keys_hold_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing()
    watch = SourceWatch(DatabaseSource(), ring)
    _, key = make_key("gw", ["read"], [], None, "anna")
    watch.look()

    def away(*args: object, **options: object) -> None:
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patched:
        patched.setattr(AccessKey.objects, "aggregate", away)
        watch.look()
        assert watch.problem == "server closed the connection"
        assert ring.find({b"x-api-key": key.encode()}) is not None
    AccessKey.objects.get().revoke()
    watch.look()
    assert watch.problem == ""
    assert ring.find({b"x-api-key": key.encode()}) is None


@pytest.mark.parametrize(
    ("name", "scopes", "clusters", "said"),
    [
        ("", ["read"], [], "name: expected 1 to 64 letters"),
        ("a b", ["read"], [], "name: expected 1 to 64 letters"),
        ("-a", ["read"], [], "name: expected 1 to 64 letters"),
        ("a" * 65, ["read"], [], "name: expected 1 to 64 letters"),
        ("a\n", ["read"], [], "name: expected 1 to 64 letters"),
        ("a", [], [], "scope: expected at least one"),
        ("a", ["red"], [], 'scope: expected one of read, write, replicate, operate, got "red", did you mean read?'),
        ("a", ["read"], [""], "cluster: expected 1 to 256 printable characters"),
        ("a", ["read"], ["c" * 257], "cluster: expected 1 to 256 printable characters"),
        ("a", ["read"], [str(number) for number in range(65)], "cluster: expected at most 64, got 65"),
        ("taken", ["read"], [], "name: taken is in use: revoke that key first, or take another name"),
    ],
)
def test_what_cannot_be_is_named(name: str, scopes: list[str], clusters: list[str], said: str) -> None:
    make_key("taken", ["read"], [], None, "anna")
    with pytest.raises(WrongKey) as caught:
        make_key(name, scopes, clusters, None, "anna")
    assert str(caught.value).startswith(said)
    assert AccessKey.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * 86_400), ("2w", 14 * 86_400), ("12h", 43_200), ("1h30m", 5_400), ("2026-11-28T13:00:01+01:00", 1)],
)
def test_an_end_is_a_span_or_a_time(text: str, seconds: float) -> None:
    assert end_of(text, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["x", "30", "-1h", "0s", "0d", "2026-11-28", "2020-01-01T00:00:00Z", "999999w"])
def test_an_end_that_is_none_is_named(text: str) -> None:
    with pytest.raises(WrongKey, match=r"^expires: expected "):
        end_of(text, NOW)


def test_a_key_says_how_it_stands() -> None:
    row, _ = make_key("gw", ["read"], [], timezone.now() + timedelta(days=1), "anna")
    assert row.state == "valid"
    row.expires_at = timezone.now() - timedelta(seconds=1)
    assert row.state == "expired"

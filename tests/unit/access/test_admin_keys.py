# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/access/accesskey/`: listed, made, shown once, revoked, and by whom."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.key_text import digest_of
from access.made_key import make_key
from access.models import AccessKey
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

LIST = "/admin/access/accesskey/"
ADD = f"{LIST}add/"
REVOKE = f"{LIST}revoke_accesskey/"
ASKED = {"name": "gw", "scopes": ["read", "write"], "clusters": "prod-* test", "expires": "30d"}


def signed_in(*permissions: str, superuser: bool = False) -> Client:
    user = User.objects.create(username="anna", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_a_key_is_made_and_shown_once(node: PartialNode) -> None:
    client = signed_in(superuser=True)
    assert b"Make a key" in client.get(LIST).content
    assert b'name="scopes" value="operate"' in client.get(ADD).content
    answer = client.post(ADD, ASKED)
    (key,) = re.findall(r'id="made-key">(mc_[\w-]+)<', answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    (row,) = AccessKey.objects.all()
    assert row.digest == digest_of(key.encode()).hex()
    assert (row.scopes, row.clusters, row.created_by) == (["read", "write"], ["prod-*", "test"], "anna")
    assert row.expires_at is not None
    assert row.expires_at > timezone.now() + timedelta(days=29)
    for page in (LIST, ADD, "/admin/"):
        assert key not in client.get(page).content.decode()
    assert all(key not in str(session.get_decoded()) for session in Session.objects.all())
    (entry,) = LogEntry.objects.all()
    assert (entry.action_flag, entry.object_repr, str(entry.user)) == (ADDITION, "gw", "anna")
    assert entry.get_change_message() == "Made with the scopes read, write."


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "g w"}, "name: expected 1 to 64"),
        ({"name": "taken"}, "name: taken is in use"),
        ({"scopes": []}, "scope: expected at least one"),
        ({"scopes": ["fly"]}, "scope: expected one of read, write, replicate, operate"),
        ({"expires": "soon"}, "expires: expected a time to live"),
        ({"clusters": "c" * 300}, "cluster: expected 1 to 256"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(node: PartialNode, asked: dict[str, object], said: str) -> None:
    make_key("taken", ["read"], [], None, "boss")
    content = signed_in(superuser=True).post(ADD, {**ASKED, **asked}).content.decode()
    assert said in content.replace("&quot;", '"')
    assert str({**ASKED, **asked}["expires"]) in content
    assert AccessKey.objects.count() == 1
    assert LogEntry.objects.count() == 0


def test_a_key_is_revoked_after_a_question(node: PartialNode) -> None:
    client = signed_in(superuser=True)
    make_key("gw", ["read"], [], None, "boss")
    assert f"{REVOKE}?name=gw" in client.get(LIST).content.decode()
    assert b"Every node refuses it within 5 seconds" in client.get(REVOKE, {"name": "gw"}).content
    assert AccessKey.objects.get().revoked_at is None
    assert client.post(REVOKE, {"name": "gw"}).headers["Location"] == LIST
    assert AccessKey.objects.get().revoked_at is not None
    (entry,) = LogEntry.objects.all()
    assert (entry.action_flag, entry.object_repr, entry.change_message) == (
        DELETION,
        "gw",
        "The key gw is revoked.",
    )
    page = client.get(LIST).content.decode()
    assert "revoked" in page
    assert f"{REVOKE}?name=gw" not in page
    client.post(REVOKE, {"name": "gw"})
    assert "or it is revoked already" in client.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ((), set()),
        (("view_accesskey",), {"list"}),
        (("add_accesskey",), set()),
        (("view_accesskey", "add_accesskey"), {"list", "add"}),
        (("view_accesskey", "revoke_accesskey"), {"list", "revoke"}),
    ],
)
def test_each_permission_opens_its_page_alone(node: PartialNode, permissions: tuple[str, ...], may: set[str]) -> None:
    make_key("gw", ["read"], [], None, "boss")
    client = signed_in(*permissions)
    answers = {
        "list": client.get(LIST).status_code,
        "add": client.post(ADD, {**ASKED, "name": "new"}).status_code,
        "revoke": client.post(REVOKE, {"name": "gw"}).status_code,
    }
    assert {name for name, status in answers.items() if status in {200, 302}} == may
    assert {status for name, status in answers.items() if name not in may} <= {403}
    assert AccessKey.objects.filter(name="new").exists() == ("add" in may)
    assert (AccessKey.objects.get(name="gw").revoked_at is not None) == ("revoke" in may)


def test_the_groups_are_given_no_keys() -> None:
    """A key can do more than the operator who would make it. Superusers make keys, and those whom they let."""
    granted = Permission.objects.filter(group__isnull=False, content_type__app_label="access")
    assert list(granted) == []


def test_many_keys_are_listed_page_by_page(node: PartialNode) -> None:
    for number in range(101):
        make_key(f"k{number:03}", ["read"], [], None, "boss")
    client = signed_in(superuser=True)
    assert "k000" in client.get(LIST).content.decode()
    assert "k100" not in client.get(LIST).content.decode()
    assert "k100" in client.get(LIST, {"page": "2"}).content.decode()


def test_the_navigation_leads_there(node: PartialNode) -> None:
    link = reverse("admin:access_accesskey_changelist")
    assert link in signed_in(superuser=True).get("/admin/").content.decode()

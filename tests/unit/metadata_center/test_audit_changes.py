# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people change in the admin and by commands is written to the audit trail, with who and from where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from metadata_center.audit.changes import is_audited
from metadata_center.audit.store import AuditStore
from metadata_center.models import AuditEntry
from tests.unit.metadata_center.test_admin_permissions import OPERATIONS, client_of
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

SECRET = "correct-horse-battery"


def written(node: PartialNode) -> list[tuple[str, str, str, str]]:
    return [(line.act, line.outcome, line.who, line.client) for line in node.trail.lines]


def what(node: PartialNode, act: str) -> Any:
    (found,) = [line.what for line in node.trail.lines if line.act == act]
    return msgspec.json.decode(found)


@pytest.fixture
def boss(node: PartialNode) -> Client:
    client = client_of("superuser")
    node.trail.lines.clear()
    return client


def test_log_ins_log_outs_and_failed_ones_are_written_down(node: PartialNode) -> None:
    User.objects.create_user("anna", password=SECRET, is_staff=True)
    node.trail.lines.clear()
    client, login = Client(REMOTE_ADDR="10.0.0.9"), reverse("admin:login")
    client.post(login, {"username": "anna", "password": "wrong"})
    client.post(login, {"username": "nobody", "password": SECRET})
    client.post(login, {"username": "anna", "password": SECRET})
    client.post(reverse("admin:logout"))
    assert written(node) == [
        ("log-in", "refused", "address 10.0.0.9", "10.0.0.9"),
        ("log-in", "refused", "address 10.0.0.9", "10.0.0.9"),
        ("log-in", "done", "user anna", "10.0.0.9"),
        ("log-out", "done", "user anna", "10.0.0.9"),
    ]
    assert [msgspec.json.decode(line.what) for line in node.trail.lines[:2]] == [{"name": "anna"}, {"name": "nobody"}]
    assert SECRET not in repr(node.trail.lines)


def test_accounts_are_written_down_by_who_changed_what(node: PartialNode, boss: Client) -> None:
    form = {"username": "anna", "password1": SECRET, "password2": SECRET, "usable_password": "true"}
    assert boss.post(reverse("admin:auth_user_add"), form).status_code == 302
    assert {act for act, *_ in written(node)} == {"user created", "password changed"}
    assert {(who, client) for _, _, who, client in written(node)} == {("user person", "127.0.0.1")}
    node.trail.lines.clear()

    anna, group = User.objects.get(username="anna"), Group.objects.get(name="operator")
    form = {
        "username": "anna",
        "is_active": "on",
        "is_staff": "on",
        "groups": [str(group.pk)],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    assert boss.post(reverse("admin:auth_user_change", args=[anna.pk]), form).status_code == 302
    changed = what(node, "user changed")
    assert changed["name"] == "anna"
    assert changed["changes"]["is_staff"] == {"from": False, "to": True}
    assert what(node, "user groups changed") == {"name": "anna", "given": ["operator"]}
    node.trail.lines.clear()

    form = {"password1": SECRET + "2", "password2": SECRET + "2", "usable_password": "true"}
    assert boss.post(reverse("admin:auth_user_password_change", args=[anna.pk]), form).status_code == 302
    assert [act for act, *_ in written(node)] == ["password changed"]
    node.trail.lines.clear()

    assert boss.post(reverse("admin:auth_user_delete", args=[anna.pk]), {"post": "yes"}).status_code == 302
    assert [act for act, *_ in written(node)] == ["user deleted"]
    assert SECRET not in repr(node.trail.lines)


def test_what_a_group_may_is_written_down(node: PartialNode, boss: Client) -> None:
    group = Group.objects.get(name="read-only")
    permission = Permission.objects.get(codename="resync_peer")
    group.permissions.add(permission)
    group.permissions.remove(permission)
    group.permissions.clear()
    found = [msgspec.json.decode(line.what) for line in node.trail.lines]
    assert [line.act for line in node.trail.lines] == ["group permissions changed"] * 3
    assert (found[0]["given"], found[1]["taken"], found[2]["taken"]) == ([str(permission)], [str(permission)], ["all"])


def test_a_save_that_changes_nothing_and_a_use_are_not_written_down(node: PartialNode) -> None:
    user = User.objects.create(username="anna")
    node.trail.lines.clear()
    user.save()
    Client().force_login(user)
    user.refresh_from_db()
    assert user.last_login is not None
    assert [act for act, *_ in written(node)] == ["log-in"]


def test_every_table_of_ours_is_written_down_but_those_that_are_books_themselves() -> None:
    """A new model is audited without a line anywhere. One that is left out here is a decision."""
    left_out = {model._meta.label for model in apps.get_models() if model._meta.managed and not is_audited(model)}
    assert {label for label in left_out if not label.startswith("axes.")} == {
        "admin.LogEntry",
        "auth.Permission",
        "contenttypes.ContentType",
        "metadata_center.AuditEntry",
        "sessions.Session",
    }
    assert is_audited(User)
    assert is_audited(Group)


def test_every_operation_of_the_admin_is_written_down(node: PartialNode, boss: Client) -> None:
    for name, values in OPERATIONS.items():
        node.add("r1")
        node.trail.lines.clear()
        assert boss.post(reverse(f"admin:{name}"), values).status_code == 302
        (line,) = node.trail.lines
        assert name.endswith(line.act)
        assert (line.outcome, line.who, line.client) == ("done", "user person", "127.0.0.1")
        assert values.items() <= msgspec.json.decode(line.what).items()


def test_an_operation_that_fails_and_one_that_is_refused_are_written_down(node: PartialNode, boss: Client) -> None:
    boss.post(reverse("admin:loadstats_request_end_request"), {"request_id": "unknown"})
    assert [(act, outcome) for act, outcome, *_ in written(node)] == [("end_request", "failed")]
    node.trail.lines.clear()
    User.objects.all().delete()
    node.trail.lines.clear()
    reader = client_of("read-only")
    node.trail.lines.clear()
    for name, values in OPERATIONS.items():
        reader.get(reverse(f"admin:{name}"), values)  # a look is no attempt
    assert node.trail.lines == []
    for name, values in OPERATIONS.items():
        assert reader.post(reverse(f"admin:{name}"), values).status_code == 403
    assert {outcome for _, outcome, *_ in written(node)} == {"refused"}
    assert len(written(node)) == len(OPERATIONS)


def test_a_form_of_another_site_is_written_down_as_refused(node: PartialNode) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="person", is_staff=True, is_superuser=True))
    node.trail.lines.clear()
    client.post(reverse("admin:metadata_center_node_set_log_level"), {"level": "ERROR"})
    act = "POST /admin/metadata_center/node/set_log_level/"
    assert written(node) == [(act, "refused", "user person", "127.0.0.1")]


def test_commands_write_to_the_table_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", SECRET)
    monkeypatch.setenv("LOGNAME", "olga")
    call_command("createsuperuser", username="root", email="", interactive=False, verbosity=0)
    rows = list(AuditEntry.objects.order_by("id").values_list("act", "who", "client", "node"))
    assert rows == [("user created", "command line of olga", "", "command")]
    assert SECRET not in repr(list(AuditEntry.objects.values()))


def test_a_change_does_not_fail_because_it_cannot_be_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: AuditStore, lines: object) -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(AuditStore, "save", away)
    User.objects.create(username="anna")
    assert User.objects.filter(username="anna").exists()


def test_the_page_is_searched_and_changes_nothing(node: PartialNode, boss: Client) -> None:
    node.audit.record("drop", "key gateway-eu", "10.0.0.7", {"cluster": "<b>c</b>"})
    node.audit.record("resync", "user anna", "10.0.0.8", {})
    AuditStore(node.name, 100, 1000.0).save(node.trail.lines)
    page = reverse("admin:metadata_center_auditentry_changelist")
    text = boss.get(page).text
    assert "key gateway-eu" in text
    assert "&lt;b&gt;c" in text
    assert "<b>c" not in text
    found = boss.get(page, {"q": "anna"}).text
    assert "resync" in found.partition("result_list")[2]
    assert "gateway-eu" not in found.partition("result_list")[2]
    assert "gateway-eu" in boss.get(page, {"q": "gateway-eu"}).text
    entry = AuditEntry.objects.get(act="drop")
    one = reverse("admin:metadata_center_auditentry_change", args=[entry.pk])
    assert "gateway-eu" in boss.get(one).text
    for target in (one, reverse("admin:metadata_center_auditentry_delete", args=[entry.pk])):
        assert boss.post(target, {"act": "nothing", "post": "yes"}).status_code == 403
    assert boss.get(reverse("admin:metadata_center_auditentry_add")).status_code == 403
    assert AuditEntry.objects.filter(act="drop").count() == 1

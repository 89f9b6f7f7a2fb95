# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The first admin, and the groups that the migration makes."""

from __future__ import annotations

from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db

OURS = ("loadstats", "metadata_center", "replication")


def ensure_admin() -> str:
    said = StringIO()
    call_command("ensure_admin", stdout=said)
    return said.getvalue()


def test_a_first_admin_is_made_and_the_password_shown_once() -> None:
    said = ensure_admin()
    (password,) = (line.split()[1] for line in said.splitlines() if line.startswith("  password"))
    user = User.objects.get()
    assert user.is_superuser
    assert user.is_staff
    assert len(password) >= 20
    assert user.check_password(password)
    assert ensure_admin() == ""
    assert User.objects.count() == 1


def test_every_admin_gets_a_password_of_its_own() -> None:
    first = ensure_admin()
    User.objects.all().delete()
    assert ensure_admin() != first


def test_who_has_a_superuser_gets_none() -> None:
    User.objects.create_superuser("boss", password="x")
    assert ensure_admin() == ""
    assert [user.username for user in User.objects.all()] == ["boss"]


def test_a_plain_user_called_admin_is_left_alone() -> None:
    User.objects.create_user("admin", password="x")
    assert "createsuperuser" in ensure_admin()
    assert not User.objects.get().is_superuser


def test_the_groups_hold_all_there_is_to_see_and_do() -> None:
    """A new page or operation must be thought of here too."""
    ours = Permission.objects.filter(content_type__app_label__in=OURS)
    view = {each.codename for each in ours if each.codename.startswith("view_")}
    granted = {group.name: {each.codename for each in group.permissions.all()} for group in Group.objects.all()}
    assert granted["read-only"] == view | {"view_logentry"}
    assert granted["operator"] == {each.codename for each in ours} | {"view_logentry"}
    assert len(view) == 8
    assert len(ours) == 13


def test_the_groups_are_made_once_and_can_be_dropped() -> None:
    migration: Any = import_module("metadata_center.migrations.0002_groups")
    editor = connection.schema_editor()
    migration.make_groups(apps, editor)  # groups of these names are taken over
    assert Group.objects.count() == 2
    migration.drop_groups(apps, editor)
    assert Group.objects.count() == 0
    Permission.objects.filter(codename="end_request").delete()
    migration.make_groups(apps, editor)  # as on a fresh database: the permissions are not there yet
    assert Group.objects.get(name="operator").permissions.filter(codename="end_request").exists()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may see and do what in the admin: every page and every operation, for every kind of account."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from metadata_center.admin_site import CONTENT_SECURITY_POLICY
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

PAGES = {
    "loadstats_cluster": "loadstats.view_cluster",
    "loadstats_engine": "loadstats.view_engine",
    "loadstats_request": "loadstats.view_request",
    "replication_peer": "replication.view_peer",
    "metadata_center_node": "metadata_center.view_node",
    "metadata_center_task": "metadata_center.view_task",
    "metadata_center_setting": "metadata_center.view_setting",
    "metadata_center_auditentry": "metadata_center.view_auditentry",
    "admin_logentry": "admin.view_logentry",
}
OPERATIONS = {
    "loadstats_request_end_request": {"request_id": "r1"},
    "loadstats_request_end_requests": {"cluster": "c"},
    "loadstats_engine_forget_engine": {"cluster": "c", "ip": "10.0.0.1"},
    "replication_peer_resync_peer": {"name": "10.0.0.2:8080"},
    "metadata_center_task_run_task": {"name": "expire"},
    "metadata_center_node_set_log_level": {"level": "ERROR"},
}
ACCOUNTS = ("auth_user", "auth_group")
KINDS = ("anonymous", "plain", "staff", "read-only", "operator", "not staff", "superuser")


def page(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def client_of(kind: str) -> Client:
    """Someone signed in, who belongs to the group of this name where there is one."""
    client = Client()
    if kind == "anonymous":
        return client
    staff = kind not in {"plain", "not staff"}
    user = User.objects.create(username="person", is_staff=staff, is_superuser=kind == "superuser")
    if kind in {"read-only", "operator", "not staff"}:
        user.groups.add(Group.objects.get(name="operator" if kind == "not staff" else kind))
    client.force_login(user)
    return client


def sees(kind: str) -> bool:
    return kind in {"read-only", "operator", "superuser"}


def acts(kind: str) -> bool:
    return kind in {"operator", "superuser"}


def status(kind: str, may: bool) -> int:
    """Of an answer: who may not come in at all is sent to the log-in."""
    return 200 if may else 302 if kind in {"anonymous", "plain", "not staff"} else 403


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_for_those_who_may_view(node: PartialNode, kind: str) -> None:
    client = client_of(kind)
    node.add("r1")
    for name in PAGES:
        response = client.get(page(name))
        assert response.status_code == status(kind, sees(kind)), name
    for name in ACCOUNTS:
        assert client.get(page(name)).status_code == status(kind, kind == "superuser"), name


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_for_those_who_may_act(node: PartialNode, kind: str) -> None:
    client = client_of(kind)
    for name, values in OPERATIONS.items():
        node.add("r1")
        node.add("r2")
        assert client.get(reverse(f"admin:{name}"), values).status_code == status(kind, acts(kind)), name
        before = LogEntry.objects.count()
        response = client.post(reverse(f"admin:{name}"), values)
        assert response.status_code == (302 if acts(kind) else status(kind, False)), name
        assert LogEntry.objects.count() - before == acts(kind), name
        assert response.status_code != 302 or acts(kind) == ("/login/" not in response["Location"]), name
    done = acts(kind)
    assert node.ledger.counts().in_flight == (0 if done else 2)
    assert (len(node.celery.asked), len(node.peers.asked)) == ((1, 1) if done else (0, 0))
    assert node.logs.level == ("ERROR" if done else "WARN")


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["read-only", "operator"])
def test_buttons_and_links_are_those_that_work(node: PartialNode, kind: str) -> None:
    client = client_of(kind)
    node.add("r1")
    for operation, values in OPERATIONS.items():
        (its_page,) = (name for name in PAGES if operation.startswith(f"{name}_"))
        text = client.get(page(its_page), values).text
        assert (f'"{reverse(f"admin:{operation}")}' in text) is acts(kind), operation
    front = client.get(reverse("admin:index")).text
    for name in (*PAGES, *ACCOUNTS):
        assert (page(name) in front) is (name not in ACCOUNTS), name


@pytest.mark.no_cover
def test_one_permission_opens_one_page(node: PartialNode) -> None:
    client = client_of("staff")
    user = User.objects.get()
    for name, permission in PAGES.items():
        app, codename = permission.split(".")
        found = Group.objects.get(name="read-only").permissions.get(content_type__app_label=app, codename=codename)
        user.user_permissions.set([found])
        assert [each for each in PAGES if client.get(page(each)).status_code == 200] == [name]
    user.user_permissions.set(Group.objects.get(name="operator").permissions.filter(codename="end_request"))
    assert client.get(reverse("admin:loadstats_request_end_request"), {"request_id": "r1"}).status_code == 403


def test_the_front_page_of_someone_without_a_group_says_what_to_ask_for(node: PartialNode) -> None:
    node.add("r1", cluster="confidential")
    text = client_of("staff").get(reverse("admin:index")).text
    assert "ask for a group" in text
    assert "confidential" not in text
    assert "Requests in flight" not in text
    assert "worker" not in text


@pytest.mark.no_cover
def test_pages_and_the_log_in_are_under_their_policy(node: PartialNode) -> None:
    client = client_of("superuser")
    targets = [reverse("admin:index"), *(page(name) for name in (*PAGES, *ACCOUNTS)), reverse("admin:auth_user_add")]
    confirmation = reverse("admin:metadata_center_node_set_log_level") + "?level=ERROR"
    for target in (*targets, confirmation):
        response = client.get(target)
        assert response.status_code == 200, target
        assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert "no-store" in response["Cache-Control"]
    for response in (Client().get(reverse("admin:login")), client.get(reverse("admin:password_change"))):
        assert response.status_code == 200
        assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_what_is_refused_is_refused_in_words(node: PartialNode) -> None:
    client = client_of("staff")
    response: Any = client.get(page("loadstats_request"), headers={"Accept": "text/html"})
    assert response.status_code == 403
    assert "your account may not do this" in response.text
    assert client.get(page("loadstats_request")).json()["error"]["code"] == 40301001


def test_an_operation_wants_its_own_form(node: PartialNode) -> None:
    user = User.objects.create(username="person", is_staff=True, is_superuser=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post(reverse("admin:metadata_center_node_set_log_level"), {"level": "ERROR"}).status_code == 403
    assert node.logs.level == "WARN"


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(node: PartialNode, method: str) -> None:
    client = client_of("superuser")
    for target in (page("loadstats_request"), reverse("admin:loadstats_request_end_request")):
        assert getattr(client, method)(target).status_code == 405
    assert client.post(page("loadstats_request")).status_code == 405

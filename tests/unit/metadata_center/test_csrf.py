# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A form of another site is refused: whatever the session of a person may do wants the token of our own form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path, reverse

from metadata_center import urls as project
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

done: list[str] = []


def write(request: HttpRequest) -> HttpResponse:
    """A view of the plainest kind, as somebody may add one: no decorator guards it."""
    done.append(str(request.method))
    return HttpResponse("done")


urlpatterns = [*project.urlpatterns, path("plain", write)]
handler400, handler403, handler404, handler500 = (
    project.handler400,
    project.handler403,
    project.handler404,
    project.handler500,
)


@pytest.fixture
def client(node: PartialNode) -> Client:
    """Of a superuser, and as strict as a browser makes the server be."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def admin_names(patterns: Any) -> Iterator[str]:
    """The admin's URLs that need no argument."""
    for each in patterns:
        if isinstance(each, URLResolver):
            if not each.pattern.regex.groups:
                yield from admin_names(each.url_patterns)
        elif isinstance(each, URLPattern) and each.name and not each.pattern.regex.groups:
            yield each.name


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_view_that_nothing_else_guards_is_not_even_called(client: Client, method: str) -> None:
    done.clear()
    call = getattr(client, method)
    assert client.get("/plain").content == b"done"
    assert call("/plain").status_code == 403
    assert call("/plain", headers={"Origin": "http://evil.example"}).status_code == 403
    assert call("/plain", headers={"X-CSRFToken": "x" * 32}).status_code == 403
    assert done == ["GET"]


@pytest.mark.urls(__name__)
def test_the_token_of_our_own_form_lets_pass(client: Client) -> None:
    done.clear()
    client.get(reverse("admin:metadata_center_node_set_log_level"), {"level": "ERROR"})
    token = client.cookies["csrftoken"].value
    assert client.post("/plain", {"csrfmiddlewaretoken": token}).status_code == 200
    assert client.post("/plain", headers={"X-CSRFToken": token}).status_code == 200
    assert client.post("/plain", {"csrfmiddlewaretoken": token[::-1]}).status_code == 403
    evil = {"Origin": "http://evil.example"}
    assert client.post("/plain", {"csrfmiddlewaretoken": token}, headers=evil).status_code == 403
    assert done == ["POST", "POST"]


def test_no_page_of_the_admin_takes_a_form_without_it(client: Client, node: PartialNode) -> None:
    node.add("r1", "alpha", "10.0.0.7", 1200)
    before = node.ledger.rows("alpha"), node.logs.level, User.objects.count()
    values = {
        "request_id": "r1",
        "cluster": "alpha",
        "ip": "10.0.0.7",
        "level": "ERROR",
        "peer": "10.0.0.2:8080",
        "task": "expire",
        "name": "expire",
        "username": "mallory",
        "password1": "correct horse",
        "password2": "correct horse",
    }
    names = sorted(set(admin_names(get_resolver().url_patterns)) & set(admin_names(admin.site.urls[0])))
    assert {"index", "login", "logout", "password_change", "auth_user_add"} <= set(names)
    assert {"loadstats_request_end_request", "loadstats_engine_forget_engine"} <= set(names)
    for name in names:
        response = client.post(reverse(f"admin:{name}"), values)
        assert response.status_code == 403, name
    assert (node.ledger.rows("alpha"), node.logs.level, User.objects.count()) == before
    assert (node.celery.asked, node.peers.asked) == ([], [])
    assert not LogEntry.objects.exists()
    assert client.get(reverse("admin:index")).status_code == 200, "still logged in"

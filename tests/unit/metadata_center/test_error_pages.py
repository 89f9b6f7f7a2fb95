# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong on a page, people see a page of ours and programs the envelope."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

LOG_IN = "/admin/login/"
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def client(node: PartialNode) -> Client:
    """Of somebody who may see the admin and nothing in it; as strict as a browser makes the server be."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(User.objects.create_user("guest", password="right", is_staff=True))
    return client


def break_index(node: PartialNode) -> None:
    def fail() -> None:
        raise RuntimeError("secret")

    node.health.report = fail  # type: ignore[method-assign, assignment]


FAULTS: dict[str, tuple[int, Callable[[Client, dict[str, str]], object]]] = {
    "a form without a token": (403, lambda client, headers: client.post(LOG_IN, {"username": "x"}, headers=headers)),
    "a form with a wrong token": (
        403,
        lambda client, headers: client.post("/admin/logout/", headers={**headers, "X-CSRFToken": "x" * 32}),
    ),
    "a form of another site": (
        403,
        lambda client, headers: client.post(LOG_IN, headers={**headers, "Origin": "http://evil.example"}),
    ),
    "a page without the permission": (403, lambda client, headers: client.get("/admin/auth/user/", headers=headers)),
    "an unknown page": (404, lambda client, headers: client.get("/nope", headers=headers)),
    "an unknown page of the admin": (404, lambda client, headers: client.get("/admin/nope/", headers=headers)),
    "a method that a static file has not": (
        405,
        lambda client, headers: client.put("/static/console/console.css", headers=headers),
    ),
    "a method that a page has not": (405, lambda client, headers: client.put("/console/", headers=headers)),
    "a page that fails": (500, lambda client, headers: client.get("/", headers=headers)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_people_see_a_page_of_ours_and_programs_the_envelope(client: Client, node: PartialNode, fault: str) -> None:
    status, make = FAULTS[fault]
    if status == 500:
        break_index(node)
    page = make(client, HTML)
    text = page.content.decode()  # type: ignore[attr-defined]
    assert page.status_code == status  # type: ignore[attr-defined]
    assert '<nav aria-label="Main">' in text
    assert text.count("<h1>") == 1
    assert page["X-Trace-ID"] in text  # type: ignore[index]
    assert "secret" not in text
    assert page["Content-Security-Policy"].startswith("default-src 'none'")  # type: ignore[index]
    answer = make(client, {})
    assert answer.status_code == status  # type: ignore[attr-defined]
    envelope = answer.json()  # type: ignore[attr-defined]
    assert envelope["status"] == "ERROR"
    assert envelope["error"]["code"] // 100000 == status
    assert envelope["error"]["reason"]


def test_a_refused_form_says_what_to_do(client: Client) -> None:
    text = client.post(LOG_IN, headers=HTML).content.decode()
    assert "load the page again" in text


def messages(text: str) -> list[str]:
    return [" ".join(each.split()) for each in re.findall(r'class="errornote[^"]*">(.*?)</(?:div|p)>', text, re.DOTALL)]


@pytest.mark.parametrize("name", ["guest", "nobody"])
def test_a_wrong_password_shows_one_message(node: PartialNode, name: str) -> None:
    User.objects.create_user("guest", password="right", is_staff=True)
    text = Client().post(LOG_IN, {"username": name, "password": "wrong"}).content.decode()
    (message,) = messages(text)
    assert message.startswith("Please enter the correct username and password")


def test_a_fresh_log_in_shows_none_and_a_wrong_account_is_told_so(node: PartialNode) -> None:
    assert messages(Client().get(LOG_IN).content.decode()) == []
    client = Client()
    client.force_login(User.objects.create_user("outsider", password="right"))
    (message,) = messages(client.get(LOG_IN).content.decode())
    assert "outsider" in message


def test_a_form_without_a_name_says_which_field_is_missing(node: PartialNode) -> None:
    text = Client().post(LOG_IN, {"username": "", "password": "x"}).content.decode()
    assert messages(text) == []
    assert text.count("This field is required.") == 1

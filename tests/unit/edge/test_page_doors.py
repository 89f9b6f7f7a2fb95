# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The doors before Django's pages: sessions, forms, and what needs a log-in where keys are required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.key_table import NoKeys
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

HTML = {"Accept": "text/html"}
FAR: Any = {"REMOTE_ADDR": "203.0.113.9"}
LEVEL = {"LevelParam": "ERROR"}
CHANGES = [
    ("post", "/v1/load/stats"),
    ("delete", "/v1/load/stats"),
    ("post", "/v1/load/batch"),
    ("delete", "/v1/load/engine"),
    ("post", "/v1/cache/save"),
    ("delete", "/v1/cache"),
    ("post", "/log/level"),
    ("post", "/v1/replica/event"),
    ("post", "/admin/login/"),
    ("patch", "/console/"),
    ("post", "/metrics"),
    ("put", "/livez"),
    ("post", "/nowhere"),
    ("post", "/static/console/icon.svg"),
]


class Keys(NoKeys):
    """The key `read` reads, and so on."""

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        scope = headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode()
        return Caller(f"key {scope}", frozenset({Scope(scope)})) if scope in list(Scope) else None


def user(name: str, group: str = "", **options: Any) -> Client:
    """A browser in which somebody is signed in. It is as strict about tokens as a real one makes the server be."""
    account = User.objects.create(username=name, is_staff=True, **options)
    if group:
        account.groups.add(Group.objects.get(name=group))
    client = Client(enforce_csrf_checks=True)
    client.force_login(account)
    return client


def token(client: Client) -> str:
    """The token of a page of the node."""
    page = client.get("/log/level", headers=HTML, **FAR).content.decode()
    _, found, rest = page.partition('name="csrfmiddlewaretoken" value="')
    assert found
    return rest.partition('"')[0]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "mark",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
@pytest.mark.parametrize("accept", [{}, pytest.param(HTML, marks=pytest.mark.no_cover)])
def test_a_page_of_another_site_changes_nothing(
    node: PartialNode, method: str, path: str, mark: dict[str, str], accept: dict[str, str]
) -> None:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    response = getattr(client, method)(path, LEVEL, headers={**mark, **accept})
    assert response.status_code == 403
    if not accept:
        assert response.json()["error"]["code"] == 40301001
    assert node.logs.level == "WARN"


@pytest.mark.parametrize("path", ["/", "/console/", "/admin/login/", "/metrics", "/livez", "/nowhere", "/docs/"])
def test_a_name_that_is_not_the_nodes_gets_no_page(node: PartialNode, path: str) -> None:
    response = Client().get(path, headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 40001400)
    assert Client().get("/livez", headers={"Host": "metadata-center.default.svc:8080"}).status_code == 200


def test_an_operators_session_may_operate_from_anywhere(node: PartialNode) -> None:
    client = user("anna", "operator")
    form = {**LEVEL, "csrfmiddlewaretoken": token(client)}
    assert client.post("/log/level", form, headers=HTML, **FAR).status_code == 200
    assert node.logs.level == "ERROR"
    call = {"LevelParam": "DEBUG"}
    headers = {"X-CSRFToken": form["csrfmiddlewaretoken"]}
    response = client.post("/log/level", call, content_type="application/json", headers=headers, **FAR)
    assert response.status_code == 200
    assert node.logs.level == "DEBUG"


@pytest.mark.parametrize("client_address", [FAR, {}])
@pytest.mark.parametrize("headers", [{}, {"X-CSRFToken": "x" * 32}, HTML])
def test_a_session_changes_nothing_without_the_token_of_a_page_of_ours(
    node: PartialNode, headers: dict[str, str], client_address: Any
) -> None:
    client = user("anna", "operator")
    response = client.post("/log/level", LEVEL, headers=headers, **client_address)
    assert response.status_code == 403
    assert node.logs.level == "WARN"


def test_a_session_without_the_permission_may_not(node: PartialNode) -> None:
    client = user("bob", "read-only")
    form = {**LEVEL, "csrfmiddlewaretoken": token(client)}
    response = client.post("/log/level", form, headers=HTML, **FAR)
    assert response.status_code == 403
    assert "user bob lacks the scope operate" in response.content.decode()
    assert node.logs.level == "WARN"


@pytest.mark.parametrize("options", [{"is_active": False}, {"is_staff": False}])
def test_an_account_that_may_not_sign_in_is_a_stranger(node: PartialNode, options: dict[str, bool]) -> None:
    client = user("carl", is_superuser=True)
    User.objects.update(**options)
    response = client.post("/log/level", LEVEL, **FAR)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_a_stranger_changes_nothing_of_the_node_by_a_form(node: PartialNode) -> None:
    response = Client().post("/log/level", LEVEL, headers=HTML, **FAR)
    assert response.status_code == 401
    assert "a key with the scope operate" in response.content.decode()
    assert Client().post("/log/level", LEVEL, headers=HTML).status_code == 200  # from this machine


@pytest.mark.parametrize("path", ["/console/", "/docs/", "/schema/", "/metrics", "/v1/load/clusters", "/log/level"])
def test_where_keys_are_required_pages_need_a_log_in_or_a_key(node: PartialNode, path: str) -> None:
    node.dispatcher.doors = Doors(Keys(), required=True)
    refused = Client().get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, 40101001)
    sent = Client().get(path, headers=HTML)
    assert (sent.status_code, sent["Location"]) == (302, f"/admin/login/?next={path}")
    served = 405 if path == "/log/level" else 200
    assert Client().get(path, headers={"Authorization": "Bearer read"}).status_code == served
    assert Client().get(path, headers={"Authorization": "Bearer write"}).status_code == 403
    assert user("bob", "read-only").get(path).status_code == served


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/admin/login/", "/static/console/icon.svg"])
def test_where_keys_are_required_these_stay_open(node: PartialNode, path: str) -> None:
    node.dispatcher.doors = Doors(Keys(), required=True)
    assert Client().get(path).status_code == 200
    assert Client().get(path, headers=HTML).status_code == 200


def test_where_keys_are_required_a_form_needs_what_its_call_needs(node: PartialNode) -> None:
    node.dispatcher.doors = Doors(Keys(), required=True)
    form = {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"}
    for name, group, status in (("bob", "read-only", 403), ("anna", "operator", 200)):
        client = user(name, group)
        page = client.get("/v1/load/stats?cluster=c", headers=HTML).content.decode()
        sent = {**form, "csrfmiddlewaretoken": page.partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]}
        assert client.post("/v1/load/stats", sent, headers=HTML).status_code == status
    keyed = Client().post("/v1/load/stats", form, headers={**HTML, "Authorization": "Bearer write"})
    assert keyed.status_code == 200

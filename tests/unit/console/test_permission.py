# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What pages offer to whom: operators, accounts that may only read, and people who are not signed in."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError
from django.test import Client, RequestFactory

from console.permission import END_REQUESTS, Permission, permission_of
from tests.unit.partial_node import PartialNode

pytestmark = pytest.mark.django_db

REQUEST = "/console/request/?id=r%2F1"
CLUSTER = "/console/clusters/c%20d/?sort=name&order=asc"
GATEWAYS = "/console/gateways/?order=oldest"
ENGINE = "/console/engine/?cluster=c+d&engine=10.0.0.1"
PAGES = (REQUEST, CLUSTER, GATEWAYS, ENGINE)

END = "/admin/loadstats/request/end_request/?request_id=r%2F1&amp;next=%2Fconsole%2Frequest%2F%3Fid%3Dr%252F1"
BACK = "next=%2Fconsole%2Fclusters%2Fc%2520d%2F%3Fsort%3Dname%26order%3Dasc"
DROP = "/admin/loadstats/engine/forget_engine/?cluster=c+d&amp;ip=10.0.0.1"
END_ALL = "/admin/loadstats/request/end_requests/?owner=gw&amp;next=%2Fconsole%2Fgateways%2F%3Forder%3Doldest"


@pytest.fixture(autouse=True)
def load(node: PartialNode) -> None:
    node.ledger.add("r/1", "c d", "10.0.0.1", 1, 0.0, 0, "gw")


def shown(path: str, group: str | None) -> str:
    """The page for an account of a group, or for somebody who is not signed in."""
    client = Client(headers={"accept": "text/html"})
    if group is not None:
        user = User.objects.create_user("somebody", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        client.force_login(user)
    return client.get(path).content.decode()


@pytest.mark.parametrize(
    ("path", "link", "words"),
    [
        (REQUEST, END, ">End it…</a>"),
        (CLUSTER, f"{DROP}&amp;{BACK}", ">Drop…</a>"),
        (GATEWAYS, END_ALL, ">End all…</a>"),
        (ENGINE, f"{DROP}&amp;next=", ">Drop…</a>"),
    ],
)
def test_an_operator_acts_where_they_look(path: str, link: str, words: str) -> None:
    page = shown(path, "operator")
    assert link in page
    assert words in page
    assert "Sign in to" not in page


@pytest.mark.parametrize(
    ("path", "link", "words"),
    [
        (REQUEST, END, ">Sign in to end it…</a>"),
        (CLUSTER, f"/admin/login/?{BACK}", ">Sign in to drop engines</a>"),
        (GATEWAYS, "/admin/login/?next=%2Fconsole%2Fgateways%2F%3Forder%3Doldest", ">Sign in to end requests</a>"),
        (ENGINE, f"{DROP}&amp;next=", ">Sign in to drop it…</a>"),
    ],
)
def test_who_is_not_signed_in_is_asked_to(path: str, link: str, words: str) -> None:
    page = shown(path, None)
    assert f'href="{link}' in page
    assert words in page
    assert ">Drop…<" not in page
    assert ">End all…<" not in page
    assert ">End it…<" not in page


@pytest.mark.parametrize("path", PAGES)
def test_an_account_that_may_not_is_offered_nothing(path: str) -> None:
    page = shown(path, "read-only")
    for words in ("Drop…", "End all…", "End it…", "Sign in to"):
        assert words not in page
    assert ("Your account may not end requests" in page) is (path == REQUEST)
    assert ("Your account may not drop engines" in page) is (path == ENGINE)


def test_without_a_cookie_no_account_is_looked_up() -> None:
    request = RequestFactory().get("/console/")  # it has no `user`, which would look it up
    assert permission_of(request, END_REQUESTS) == Permission.STRANGER


def test_while_the_accounts_are_away_nobody_is_signed_in() -> None:
    class Away:
        def __get__(self, request: object, kind: object) -> object:
            raise DatabaseError("away")

    request = RequestFactory().get("/console/")
    request.COOKIES["sessionid"] = "x"
    request.__class__ = type("Request", (type(request),), {"user": Away()})
    assert permission_of(request, END_REQUESTS) == Permission.STRANGER

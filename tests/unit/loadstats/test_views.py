# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' pages, as a person would use them."""

from __future__ import annotations

from django.test import Client

from loadstats.views import LoadPrompt, LoadStatsView
from tests.unit.partial_node import PartialNode

HTML = {"Accept": "text/html"}


def test_the_urls_have_no_trailing_slash() -> None:
    assert [str(view.url().pattern) for view in (LoadStatsView, LoadPrompt)] == ["v1/load/stats", "v1/load/prompt"]


def test_a_cluster_is_asked_for_by_its_query(node: PartialNode) -> None:
    node.add("r", cluster="é/ b", ip="10.0.0.3")
    response = Client().get("/v1/load/stats", {"cluster": "é/ b"}, headers=HTML)
    assert response.status_code == 200
    assert "10.0.0.3" in response.content.decode()
    assert 'name="cluster" type="text" value="é/ b"' in response.content.decode()


def test_both_deletes_have_a_form_with_the_requests_id(node: PartialNode) -> None:
    for path in ("/v1/load/stats", "/v1/load/prompt"):
        text = Client().get(path, headers=HTML).content.decode()
        form = text.partition('data-method="DELETE"')[2].partition("</form>")[0]
        assert 'name="request_id"' in form

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The browsable API: what a browser is shown, and what its forms do. Real browsers are in tests/browser."""

from __future__ import annotations

import json
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from edge.pages import CONTENT_SECURITY_POLICY
from tests.unit.partial_node import PartialNode

STATS = "/v1/load/stats"
EVENT = "/v1/replica/event"
HTML = {"Accept": "text/html"}
FORM = "application/x-www-form-urlencoded"


class Forms(HTMLParser):
    """The forms of a page's main part: (method, action) to the values that pressing the button would send."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self._select = ""
        self.feed(page[page.index("<main") : page.index("</main>")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = attributes.get("data-method") or attributes["method"]
            self.forms.append((method, attributes["action"], {}))
        elif tag == "input" and "name" in attributes:
            self.forms[-1][2][attributes["name"]] = attributes["value"]
        elif tag == "select":
            self._select = attributes["name"]
        elif tag == "option" and ("selected" in attributes or self._select not in self.forms[-1][2]):
            self.forms[-1][2][self._select] = attributes["value"]


def page(response: Any) -> str:
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    return str(response.content.decode())


def submit(method: str, action: str, fields: dict[str, str]) -> Any:
    if method == "GET":
        return Client().get(action, fields, headers=HTML)
    return Client().generic(method, action, urlencode(fields), content_type=FORM, headers=HTML)


def answer(response: Any) -> Any:
    """The envelope shown on a page."""
    return json.loads(unescape(page(response).partition("<pre")[2].partition(">")[2].partition("</pre>")[0]))


def test_a_page_that_needs_a_cluster_opens_a_form_with_an_example(node: PartialNode) -> None:
    response = Client().get(STATS, headers=HTML)
    assert response.status_code == 200
    assert "No call has been made yet" in page(response)
    forms = {method: fields for method, action, fields in Forms(page(response)).forms if fields}
    assert list(forms) == ["GET", "POST", "DELETE"]
    assert forms["GET"]["cluster"] == "demo"
    assert Client().get(STATS).status_code == 400  # for programs


def test_a_page_whose_cluster_is_missing_says_so_beside_its_forms(node: PartialNode) -> None:
    response = Client().get(f"{STATS}?cluster=", headers=HTML)
    assert response.status_code == 400
    assert answer(response)["error"]["code"] == 40001400
    assert Forms(page(response)).forms


@pytest.mark.parametrize("path", ["/v1/load/prompt", "/log/level", EVENT])
def test_a_page_of_a_call_without_get_opens_its_forms(node: PartialNode, path: str) -> None:
    response = Client().get(path, headers=HTML)
    assert response.status_code == 200
    assert "No call has been made yet" in page(response)
    assert Forms(page(response)).forms
    assert Client().get(path).status_code == 405  # for programs
    assert Client().head(path, headers=HTML).content == b""


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version"])
def test_a_page_of_a_call_without_input_shows_its_answer(node: PartialNode, path: str) -> None:
    response = Client().get(path, headers=HTML)
    assert response.status_code == 200
    assert answer(response)["status"] == "OK"


def test_pressing_every_button_as_it_is_works(node: PartialNode) -> None:
    pressed = 0
    for path in (STATS, "/v1/load/prompt", EVENT, "/log/level", "/livez"):
        for method, action, fields in Forms(page(Client().get(path, headers=HTML))).forms:
            if fields:
                response = submit(method, action, fields)
                assert response.status_code == 200, (method, action, answer(response))
                pressed += 1
    assert pressed == 6
    counts = node.ledger.counts()
    assert (counts.added, counts.first_tokens, counts.done, counts.failed) == (2, 0, 1, 0)
    assert node.logs.level == "INFO"


def test_a_request_may_be_told_from_its_start_to_its_end_by_form(node: PartialNode) -> None:
    added = submit("POST", STATS, {"cluster": "m", "request_id": "r9", "ip": "::1", "prompt_length": "40"})
    assert added.status_code == 200
    assert node.ledger.rows("m")[0].prompt_length == 40
    forms = {method: fields for method, _, fields in Forms(page(added)).forms if fields}
    assert forms["GET"] == {"cluster": "m", "wait": ""}  # the next call is filled in
    assert forms["DELETE"] == {"request_id": "r9", "attempt": "", "outcome": ""}  # what may be left out, is
    assert submit("DELETE", "/v1/load/prompt", {"request_id": "r9"}).status_code == 200
    assert node.ledger.rows("m")[0].prompt_length == 0
    assert submit("DELETE", STATS, forms["DELETE"]).status_code == 200
    assert answer(submit("GET", STATS, forms["GET"]))["data"][0]["queued_req_num"] == 0


def test_a_form_may_be_multipart(node: PartialNode) -> None:
    response = Client().post(STATS, {"cluster": "m", "request_id": "r", "ip": "10.0.0.1"}, headers=HTML)
    assert response.status_code == 200
    assert node.ledger.rows("m")[0].queued_req_num == 1


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=\x01"])
def test_a_broken_multipart_form_is_invalid_input(node: PartialNode, content_type: str) -> None:
    response = Client().generic("POST", STATS, b"x", content_type=content_type, headers=HTML)
    assert response.status_code == 400
    assert answer(response)["error"]["code"] == 40001400


def test_a_wrong_field_is_told_beside_it_and_in_the_envelope(node: PartialNode) -> None:
    response = submit("POST", STATS, {"cluster": "m", "request_id": "", "ip": "10.0.0.1", "prompt_length": "many"})
    assert response.status_code == 400
    reason = answer(response)["error"]["reason"]
    assert "request_id: This field may not be blank." in reason
    assert "prompt_length: A valid integer is required." in reason
    text = page(response)
    assert text.count('aria-invalid="true"') == 2
    assert 'value="many"' in text
    assert not node.ledger.clusters()


def test_what_only_the_handler_knows_is_told_too(node: PartialNode) -> None:
    response = submit("POST", STATS, {"cluster": "m", "request_id": "r", "ip": "elsewhere"})
    assert response.status_code == 400
    assert answer(response)["error"]["reason"].startswith("ip: expected an IPv4 or IPv6 address")


@pytest.mark.parametrize("kind", ["load.stats.set", "load.prompt.delete", "load.stats.delete"])
def test_every_event_type_of_the_form_is_one_that_the_handler_takes(node: PartialNode, kind: str) -> None:
    shown = page(Client().get(EVENT, headers=HTML))
    assert f'<option value="{kind}"' in shown
    fields = {"event_type": kind, "request_id": "r", "cluster": "m", "ip": "10.0.0.1", "prompt_length": ""}
    assert submit("POST", EVENT, fields).status_code == 200


def test_an_unknown_event_type_is_refused(node: PartialNode) -> None:
    response = submit("POST", EVENT, {"event_type": "load.stats.burn", "request_id": "r"})
    assert response.status_code == 400
    assert "event_type:" in answer(response)["error"]["reason"]


def test_hostile_names_stay_text(node: PartialNode) -> None:
    name = '"><script>alert(1)</script>'
    shown = page(submit("POST", STATS, {"cluster": name, "request_id": name, "ip": "10.0.0.1"}))
    assert "<script>alert" not in shown
    assert Forms(shown).forms[0][2] == {"cluster": name, "wait": ""}
    assert "<script>alert" not in page(Client().get(f"{STATS}?{urlencode({'cluster': name})}", headers=HTML))


def test_a_large_cluster_is_cut_to_what_a_page_can_show(node: PartialNode) -> None:
    for number in range(1, 301):
        node.add(f"r{number}", ip=f"10.0.{number // 250}.{number % 250}")
    response = Client().get(f"{STATS}?cluster=c", headers=HTML)
    assert len(answer(response)["data"]) == 200
    assert "The first 200 of 300 rows" in page(response)
    assert len(Client().get(f"{STATS}?cluster=c").json()["data"]) == 300


def test_the_description_is_the_handlers_own(node: PartialNode) -> None:
    text = unescape(page(Client().get("/readyz", headers=HTML)))
    assert "Every part with its state and since when; 503 while starting or stopping." in text


def test_every_page_leads_to_every_other(node: PartialNode) -> None:
    text = page(Client().get("/livez", headers=HTML))
    for path in (STATS, "/v1/load/prompt", EVENT, "/v1/replica/peers", "/log/level", "/readyz", "/version"):
        assert f'<a href="{path}">' in text
    assert '<a href="/livez" aria-current="page">' in text
    assert "/v1/replica/push" not in text

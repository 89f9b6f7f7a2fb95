# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The browsable API in a real browser: what its buttons do is what gateways do."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.chromium import Tab
from tests.unit.partial_node import PartialNode


def press(tab: Tab, method: str, *, form: str = "") -> dict[str, Any]:
    """Press a method's button (of its JSON form: `form="details "`) and return the envelope that is shown then."""
    before = json.dumps(tab.run("document.querySelector('pre')?.textContent ?? ''"))  # none before the first call
    tab.run(
        f"Array.from(document.querySelectorAll('.call > {form}form > button'))"
        f".find(button => button.textContent === '{method}').click()"
    )
    tab.until(f"(document.querySelector('pre') || {{textContent: {before}}}).textContent !== {before}")
    tab.until("document.readyState === 'complete'")
    shown: dict[str, Any] = json.loads(tab.run("document.querySelector('pre').textContent"))
    return shown


def fill(tab: Tab, selector: str, value: str) -> None:
    tab.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}")


def test_a_requests_life_by_pressing_buttons(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/v1/load/stats")
    assert "No call has been made yet." in tab.text()
    assert press(tab, "GET")["data"] is None
    assert press(tab, "POST")["status"] == "OK"
    assert [row.prompt_length for row in node.ledger.rows("demo")] == [100]
    (row,) = press(tab, "GET")["data"]
    assert (row["ip"], row["queued_req_num"]) == ("10.0.0.1", 1)

    tab.open(f"{site}/v1/load/prompt")
    assert press(tab, "DELETE")["status"] == "OK"
    assert [row.prompt_length for row in node.ledger.rows("demo")] == [0]

    tab.open(f"{site}/v1/load/stats?cluster=demo")
    assert press(tab, "DELETE")["status"] == "OK"
    (row,) = press(tab, "GET")["data"]
    assert row["queued_req_num"] == 0
    assert ("DELETE", "/v1/load/stats", 200) in [line[2:] for line in node.access.lines]


def test_values_that_are_typed_are_sent(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/v1/load/stats")
    fill(tab, "form[method=POST] [name=cluster]", "a & b/<i>é")
    fill(tab, "form[method=POST] [name=ip]", "2001:db8::1")
    fill(tab, "form[method=POST] [name=prompt_length]", "7")
    assert press(tab, "POST")["status"] == "OK"
    assert [(row.ip, row.prompt_length) for row in node.ledger.rows("a & b/<i>é")] == [("2001:db8::1", 7)]
    assert press(tab, "GET")["data"][0]["ip"] == "2001:db8::1"


def test_a_wrong_value_is_pointed_out(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/v1/load/stats")
    fill(tab, "form[method=POST] [name=request_id]", "")
    assert press(tab, "POST")["error"]["code"] == 40001400
    assert tab.run("document.querySelector('[aria-invalid=true]').name") == "request_id"
    assert not node.ledger.clusters()


def test_json_may_be_typed(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/v1/load/stats")
    body = '{"cluster": "j", "request_id": "j1", "ip": "10.0.0.7", "more": [1]}'
    fill(tab, "[data-method=POST] textarea", body)
    assert press(tab, "POST", form="details ")["status"] == "OK"
    assert [row.ip for row in node.ledger.rows("j")] == ["10.0.0.7"]
    fill(tab, "[data-method=DELETE] textarea", '{"request_id":')
    assert press(tab, "DELETE", form="details ")["error"]["code"] == 40001400
    fill(tab, "[data-method=DELETE] textarea", '{"request_id": "j1", "cluster": "", "ip": ""}')
    assert press(tab, "DELETE", form="details ")["status"] == "OK"
    assert [row.queued_req_num for row in node.ledger.rows("j")] == [0]


def test_an_events_type_is_chosen_and_goes_out_as_a_header(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/v1/replica/event")
    assert press(tab, "POST")["status"] == "OK"
    assert [row.queued_req_num for row in node.ledger.rows("demo")] == [1]
    fill(tab, "[name=event_type]", "load.stats.delete")
    assert press(tab, "POST")["status"] == "OK"
    assert [row.queued_req_num for row in node.ledger.rows("demo")] == [0]


def test_the_log_level_is_set(site: str, tab: Tab, node: PartialNode) -> None:
    tab.open(f"{site}/log/level")
    fill(tab, "[name=LevelParam]", "ERROR")
    assert press(tab, "POST")["status"] == "OK"
    assert node.logs.level == "ERROR"

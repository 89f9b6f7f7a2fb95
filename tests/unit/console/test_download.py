# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables as files."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from django.test import Client

from console import download
from console.download import harmless, table_file
from runtime.notices.kind import Kind
from tests.unit.partial_node import PartialNode


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    rows = list(csv.reader(StringIO(table_file("csv", "t", ["a"], [{"a": cell}]).getvalue().decode(), newline="")))
    assert rows[1][0].startswith("'")


def test_numbers_and_other_words_stay() -> None:
    assert harmless(-1) == -1
    assert harmless("10.0.0.1") == "10.0.0.1"


def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_ROWS", 5)
    monkeypatch.setattr(download, "SLICE", 2)
    rows = [{"a": number} for number in range(9)]
    assert table_file("csv", "t", ["a"], rows).getvalue().decode().split() == ["a", "0", "1", "2", "3", "4"]
    assert [each["a"] for each in json.loads(table_file("json", "t", ["a"], rows).getvalue())] == [0, 1, 2, 3, 4]


def test_a_file_is_called_after_its_table(node: PartialNode) -> None:
    name = 'a"b/\r\n模'
    node.add("r", name)
    answer = Client().get("/console/clusters/a%22b%2F%0D%0A%E6%A8%A1/?format=json")
    assert answer["Content-Disposition"] == 'attachment; filename="engines-a-b.json"'
    assert json.loads(answer.getvalue())[0]["cluster"] == name


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_each_table_has_its_file(node: PartialNode, kind: str) -> None:
    node.add("r1", "a", "10.0.0.1", 10)
    node.add("r2", "b", "10.0.0.2", 20)
    node.add("r3", "b", "10.0.0.3")
    node.add("r4", "b", "10.0.0.3")
    found = read(kind, f"/console/?format={kind}&sort=requests")
    assert [(each["cluster"], int(each["engines"])) for each in found] == [("b", 2), ("a", 1)]
    engines = read(kind, f"/console/clusters/b/?format={kind}&filter=10.0.0.2")
    assert [(each["engine"], int(each["prompt_length"])) for each in engines] == [("10.0.0.2", 20)]
    assert read(kind, f"/console/nodes/?format={kind}") == []


def test_gateways_of_all_pages_are_in_one_file(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.gateways_page.MOST", 2)
    for number in range(5):
        for request in range(number + 1):
            node.ledger.add(f"{number}.{request}", "c", "10.0.0.1", 1, 0.0, 0, f"gw-{number}")
    found = read("csv", "/console/gateways/?format=csv&order=requests&after=-2.owner.gw-1")
    assert [(each["owner"], each["requests"]) for each in found] == [(f"gw-{n}", f"{n + 1}") for n in (4, 3, 2, 1, 0)]


def test_events_of_all_pages_are_in_one_file(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.events.PER_ANSWER", 2)
    for number in range(5):
        node.notices.report(Kind.TASK_FAILED, f"task {number}", item=f"{number}")
    node.notices.report(Kind.NODE_STARTED, "started")
    found = read("csv", "/console/events/?format=csv&kind=task_failed")
    assert sorted(each["text"] for each in found) == [f"task {number}" for number in range(5)]


def read(kind: str, path: str) -> list[dict[str, str]]:
    text = Client().get(path).getvalue().decode()
    return list(csv.DictReader(StringIO(text))) if kind == "csv" else json.loads(text)

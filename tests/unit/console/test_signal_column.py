# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages follow the table of signals: one more in the table is one more on every page."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from console import load, signal_column
from console.signal_column import LOOKS, columns
from loadstats.ledger import SIGNALS, totals
from loadstats.ledger.row import EngineRow
from loadstats.ledger.signals import Signal, SignalMetric
from tests.unit.partial_node import PartialNode

SIXTH = Signal(
    of=lambda record: 7,
    description="blocks of the cache that requests hold",
    metric=SignalMetric("blocks", "Blocks held."),
    heading="Cache blocks",
)


@pytest.fixture
def sixth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a sixth signal into the table: seven for each request."""
    table = {**SIGNALS, "block_num": SIXTH}
    for module in (load, signal_column, totals):
        monkeypatch.setattr(module, "SIGNALS", table)
    monkeypatch.setattr(EngineRow, "block_num", property(lambda row: 7 * row.queued_req_num), raising=False)


def page(target: str) -> str:
    response: Any = Client().get(target, headers={"Accept": "text/html"})
    assert response.status_code == 200
    return str(response.content.decode())


def listed(text: str) -> list[str]:
    """The signals that the page names to its script."""
    (found,) = re.findall(r'data-signals="([^"]*)"', text)
    return [each["member"] for each in json.loads(unescape(found))]


TITLE = "Blocks of the cache that requests hold"
HEADING = f'data-sort="block_num"><abbr title="{TITLE}">Cache blocks</abbr></th>'


def test_looks_are_of_signals_that_there_are() -> None:
    assert LOOKS.keys() <= SIGNALS.keys()
    assert [each.member for each in columns()] == list(SIGNALS)
    assert len({each.key for each in columns()}) == len(SIGNALS)


@pytest.mark.parametrize("target", ["/console/", "/console/clusters/c/"])
def test_scripts_are_given_the_table_in_its_order(node: PartialNode, target: str) -> None:
    node.add("r")
    assert listed(page(target)) == list(SIGNALS)


@pytest.mark.usefixtures("sixth")
def test_a_new_signal_is_on_the_overview(node: PartialNode) -> None:
    node.add("r")
    node.add("s")
    text = page("/console/")
    assert HEADING in text
    assert '<td class="number wide">14</td>' in text
    assert '<td class="number wide" data-cell="block_num"></td>' in text
    assert listed(text) == [*SIGNALS, "block_num"]


@pytest.mark.usefixtures("sixth")
def test_a_new_signal_is_among_a_clusters_tiles_and_in_its_table(node: PartialNode) -> None:
    node.add("r", "c", "10.0.0.1", 1)
    node.add("s", "c", "10.0.0.2", 1)
    text = page("/console/clusters/c/")
    assert '<div class="panel" data-tile="block_num"><dt>cache blocks</dt><dd>14</dd></div>' in text
    assert HEADING in text
    assert text.count('<td class="number wide">7</td>') == 2
    assert '<td class="number wide" data-cell="block_num"></td>' in text
    assert listed(text) == [*SIGNALS, "block_num"]

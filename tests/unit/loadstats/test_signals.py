# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Every surface names exactly the signals of the one table, and the hot path counts what the table says."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from loadstats.admin.sums import HEADINGS
from loadstats.ledger import CONTRACT, OURS, SIGNALS, ClusterTotals, Ledger, Phase, Record, Row
from loadstats.ledger.phase import DECODE, PREFILL
from loadstats.ledger.record import RecordExtras
from loadstats.ledger.signals import Load, count, hold_tokens, leave_prefill, numbers
from loadstats.live.summary_view import SummaryView
from loadstats.metrics import LoadCollector
from tests.unit.partial_node import PartialNode

DOCS = Path(__file__).parents[3] / "docs"
NAMES = {"ip", "updated_time", "port", "dp_rank"}


def schemas(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCS / name).read_text())["components"]["schemas"]
    return found


def test_the_table_is_in_two_parts() -> None:
    assert sorted((*CONTRACT, *OURS)) == sorted(SIGNALS)
    assert [each.name for each in fields(Load) if each.name in SIGNALS] == list(SIGNALS)


def test_rows_have_the_signals() -> None:
    assert [each.name for each in fields(Row) if each.name not in NAMES] == [*CONTRACT, *OURS]


def test_sums_of_clusters_have_the_signals() -> None:
    assert [each.name for each in fields(ClusterTotals)] == ["cluster", "engines", *CONTRACT, *OURS]


def test_the_admin_has_the_headings_in_the_order_of_pages() -> None:
    assert list(HEADINGS) == [each.heading for each in SIGNALS.values()]


def test_the_http_schema_has_the_signals() -> None:
    found = schemas("openapi.yaml")
    assert set(found["Row"]["properties"]) - NAMES == set(SIGNALS)
    assert set(found["Totals"]["properties"]) - {"cluster", "engines"} == set(SIGNALS)
    for name, signal in SIGNALS.items():
        assert found["Row"]["properties"][name]["description"] == signal.description
        assert ("format" in found["Row"]["properties"][name]) is signal.wide


def test_the_websockets_schema_has_the_signals() -> None:
    found = schemas("asyncapi.yaml")
    assert set(found["engine"]["properties"]) - NAMES == set(SIGNALS)
    assert set(found["engine"]["required"]) - NAMES == set(SIGNALS)
    largest = {f"max_{name}" for name in CONTRACT}
    assert set(found["cluster"]["properties"]) - {"cluster", "engines", "added_total"} == {*SIGNALS, *largest}
    assert set(found["cluster"]["required"]) - {"cluster", "engines", "added_total"} == {*CONTRACT, *largest}


def test_the_summary_stream_has_the_signals() -> None:
    ledger = Ledger()
    ledger.beat("g", 1, 0.0, 0)
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 0, "g")
    ledger.tokens("r", 3, 4, 0.0, 0)
    ledger.lapse(60.0, 0)
    view = SummaryView(ledger, "n")
    for _ in view.look():
        pass
    (row,) = json.loads(b"{%b}" % view.snapshot())["clusters"]
    largest = {f"max_{name}" for name in CONTRACT}
    assert row.keys() - {"cluster", "engines", "added_total"} == {*SIGNALS, *largest}


def test_metrics_have_the_signals(node: PartialNode) -> None:
    node.add("r")
    ledger: Any = node
    found = {family.name: family for family in LoadCollector(ledger).collect()}
    for signal in SIGNALS.values():
        unit = "engine" if signal.metric.per_engine else "cluster"
        family = found.pop(f"metadata_center_{unit}_{signal.metric.name}")
        assert family.documentation == signal.metric.help
        assert len(list(family.samples)) == 1
    loads = {name for name in found if name.startswith(("metadata_center_engine_", "metadata_center_cluster_"))}
    assert loads == {"metadata_center_cluster_engines"}


def record(phase: Phase, extras: tuple[int, int, bool] | None) -> Record:
    made = Record(request_id="r", prompt_length=11, phase=phase)
    if extras is not None:
        made.extras = RecordExtras(input_tokens=extras[0], output_tokens=extras[1], orphaned=extras[2])
    return made


def declared(one: Record) -> tuple[int, ...]:
    return tuple(signal.of(one) for signal in SIGNALS.values())


KINDS = tuple(product((PREFILL, DECODE), (None, (0, 0, False), (3, 5, False), (3, 5, True), (0, 0, True))))


@pytest.mark.parametrize(("phase", "extras"), KINDS)
@pytest.mark.parametrize("sign", [1, -1])
def test_count_agrees_with_the_table(phase: Phase, extras: tuple[int, int, bool] | None, sign: int) -> None:
    load, one = Load(), record(phase, extras)
    count(load, one, sign)
    assert numbers(load) == tuple(sign * number for number in declared(one))


@pytest.mark.parametrize("extras", [extras for phase, extras in KINDS if phase is PREFILL])
def test_leaving_prefill_agrees_with_the_table(extras: tuple[int, int, bool] | None) -> None:
    load, one = Load(), record(PREFILL, extras)
    count(load, one, 1)
    leave_prefill(load, one)
    one.phase = DECODE
    assert numbers(load) == declared(one)


def test_holding_tokens_agrees_with_the_table() -> None:
    load, one = Load(), record(DECODE, (3, 5, True))
    count(load, one, 1)
    hold_tokens(load, 4)
    assert one.extras is not None
    one.extras.output_tokens += 4
    assert numbers(load) == declared(one)


CALLS: dict[str, Callable[[Ledger, str, str, int, float], object]] = {
    "add": lambda ledger, request, engine, number, now: ledger.add(request, "c", engine, number, now, 0),
    "owned": lambda ledger, request, engine, number, now: ledger.add(request, "c", engine, number, now, 0, "g"),
    "first_token": lambda ledger, request, engine, number, now: ledger.first_token(request, now, 0),
    "done": lambda ledger, request, engine, number, now: ledger.done(request, now, 0),
    "tokens": lambda ledger, request, engine, number, now: ledger.tokens(request, number, number // 2, now, 0),
    "refresh": lambda ledger, request, engine, number, now: ledger.refresh(request, now, 0),
    "beat": lambda ledger, request, engine, number, now: ledger.beat("g", 10, now, 0),
    "lapse": lambda ledger, request, engine, number, now: ledger.lapse(now, 0),
    "expire": lambda ledger, request, engine, number, now: ledger.expire(now, 0),
    "drop": lambda ledger, request, engine, number, now: ledger.drop("c", engine),
}
MOVES = st.tuples(
    st.sampled_from(sorted(CALLS)),
    st.sampled_from(["r", "s", "t", "u"]),
    st.sampled_from(["10.0.0.1", "10.0.0.2"]),
    st.integers(0, 50),
)


@given(st.lists(MOVES, max_size=40))
def test_a_ledger_counts_what_the_table_says_after_any_moves(moves: list[tuple[str, str, str, int]]) -> None:
    ledger, now = Ledger(), 0.0
    for move, request, engine, number in moves:
        now += number
        CALLS[move](ledger, request, engine, number, now)
        sums: dict[str, tuple[int, ...]] = {}
        for each in ledger.records():
            if each.engine is not None and each.engine.cluster is not None and each.phase in {PREFILL, DECODE}:
                before = sums.get(each.engine.name, (0,) * len(SIGNALS))
                sums[each.engine.name] = tuple(map(sum, zip(before, declared(each), strict=True)))
        for row in ledger.rows("c"):
            assert numbers(row) == sums.pop(row.engine, (0,) * len(SIGNALS))
        assert not sums

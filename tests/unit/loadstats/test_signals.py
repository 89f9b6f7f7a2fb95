# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of signals: the hot path counts what it says, and every surface follows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec

from edge.engine_name import EngineName
from loadstats.ledger import CONTRACT, OURS, SIGNALS, ClusterTotals, Phase, Record, Row, SignalSums
from loadstats.ledger.cluster import Engine
from loadstats.ledger.record import RecordExtras
from loadstats.ledger.row import row_prefix, row_suffix
from loadstats.ledger.signals import Load, count, hold_tokens, leave_prefill, numbers, present
from tests.nodes import inherited_environment

ROOT = Path(__file__).resolve().parents[3]


def live_records() -> Iterator[Record]:
    """Return a live record of every kind: each phase, without extras and with all that extras can say."""
    for phase, prompt_length in product((Phase.PREFILL, Phase.DECODE), (0, 70)):
        yield Record(phase=phase, prompt_length=prompt_length)
        for read, written, orphaned in product((0, 300), (0, 5), (False, True)):
            extras = RecordExtras(input_tokens=read, output_tokens=written, orphaned=orphaned)
            yield Record(phase=phase, prompt_length=prompt_length, extras=extras)


def by_table(record: Record) -> tuple[int, ...]:
    return tuple(signal.of(record) for signal in SIGNALS.values())


def test_a_record_counts_as_the_table_says_and_leaves_nothing() -> None:
    for record in live_records():
        load = Load()
        count(load, record, 1)
        assert numbers(load) == by_table(record), record
        count(load, record, -1)
        assert not any(numbers(load)), record


def test_a_first_token_takes_away_what_counts_in_prefill_alone() -> None:
    for record in live_records():
        if record.phase is Phase.PREFILL:
            load = Load()
            count(load, record, 1)
            leave_prefill(load, record)
            record.phase = Phase.DECODE
            assert numbers(load) == by_table(record), record


def test_more_tokens_count_as_the_table_says() -> None:
    for record in live_records():
        if record.extras is not None:
            load = Load()
            count(load, record, 1)
            record.extras.input_tokens += 20
            record.extras.output_tokens += 3
            hold_tokens(load, 23)
            assert numbers(load) == by_table(record), record


def test_rows_and_sums_hold_the_signals_of_the_table() -> None:
    assert sorted((*CONTRACT, *OURS)) == sorted(SIGNALS)
    assert Row.__struct_fields__ == ("ip", *CONTRACT, "updated_time", *OURS, "port", "dp_rank")
    assert ClusterTotals.__struct_fields__ == ("cluster", "engines", *CONTRACT, *OURS)
    assert list(SignalSums().named()) == list(SIGNALS)


def test_the_signals_of_ours_that_are_not_0_are_those_of_the_table() -> None:
    for name in SIGNALS:
        load = Load()
        setattr(load, name, 7)
        assert present(load) == tuple(each == name for each in OURS)


def test_a_row_keeps_its_bytes() -> None:
    row = Row(ip="10.0.0.1", queued_req_num=0, prompt_length=0, updated_time=0, token_num=5)
    bare = b'{"ip":"10.0.0.1","queued_req_num":0,"prompt_length":0,"updated_time":0'
    assert msgspec.json.encode(row) == bare + b',"token_num":5}'
    engine = Engine(token_num=5, prefix=row_prefix(EngineName("10.0.0.1")), suffix=row_suffix(EngineName("10.0.0.1")))
    assert engine.encode() == bare + b',"token_num":5}'
    assert engine.encode(full=True) == bare + b',"prefill_req_num":0,"token_num":5,"orphaned_req_num":0}'


def test_a_sixth_signal_shows_up_everywhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.loadstats.sixth_signal"]
    settings = {"DJANGO_SETTINGS_MODULE": "metadata_center.settings", "METADATA_CENTER_NODE_DATA_DIR": str(tmp_path)}
    environment = inherited_environment(covered=False) | settings
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("table") == [*SIGNALS, "long_req_num"]
    assert {"Row", "Totals"} <= set(said.pop("schemas"))
    assert set(said.values()) == {1}, said

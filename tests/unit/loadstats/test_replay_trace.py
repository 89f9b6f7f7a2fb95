# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Trace readers and the sample."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from pathlib import Path

import pytest

from loadstats.replay import trace as trace_module
from loadstats.replay.sample import sample_trace
from loadstats.replay.trace import TraceError, TraceRequest, parse_trace, read_trace

TRACES = Path(__file__).resolve().parents[4] / "shared" / "traces"

MOONCAKE = b"""\
{"timestamp": 1180.0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}
{"timestamp": 3180, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}
"""
AZURE = b"""\
TIMESTAMP,ContextTokens,GeneratedTokens\r
2023-11-16 18:17:03.9799600,4808,10\r
2023-11-16 18:17:04.2299600,3180,8"""


def parse(content: bytes) -> list[TraceRequest]:
    return parse_trace(io.BytesIO(content), "trace")


def test_it_reads_mooncake_lines_in_milliseconds_from_the_first() -> None:
    assert parse(MOONCAKE) == [TraceRequest(0.0, 6758, 500), TraceRequest(2.0, 7322, 490)]


def test_it_reads_azure_rows_with_seven_decimals_and_without_a_last_newline() -> None:
    first, second = parse(AZURE)
    assert first == TraceRequest(0.0, 4808, 10)
    assert second.at_seconds == pytest.approx(0.25)
    assert (second.input_tokens, second.output_tokens) == (3180, 8)


def test_it_takes_azure_columns_in_any_order_beside_others_and_stamps_with_a_zone() -> None:
    content = (
        b"\xef\xbb\xbfGeneratedTokens, Model ,TIMESTAMP,ContextTokens\n\n"
        b"9,m,2024-05-10 02:00:00+02:00,7\n8,m,2024-05-10 00:00:01.5+00:00,6\n"
    )
    assert parse(content) == [TraceRequest(0.0, 7, 9), TraceRequest(1.5, 6, 8)]


def test_it_sorts_a_trace_that_is_out_of_order() -> None:
    content = (
        b'{"timestamp":9000,"input_length":1,"output_length":1}\n{"timestamp":4000,"input_length":2,"output_length":2}'
    )
    assert [(each.at_seconds, each.input_tokens) for each in parse(content)] == [(0.0, 2), (5.0, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "trace: the trace has no requests"),
        (b" \n\n", "trace: the trace has no requests"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "trace: the trace has no requests"),
        (b"hello,world\n", "trace:1: neither a JSON object nor a CSV header with the columns TIMESTAMP, Cont"),
        (b"TIMESTAMP,GeneratedTokens\n", "trace:1: neither a JSON object nor a CSV header with the column ContextTo"),
        (b"\xff\xfe\x00", "trace:1: neither a JSON object nor"),
        (MOONCAKE + b"\n{", "trace:4: Input data was truncated"),
        (MOONCAKE + b"[]", "trace:3: Expected `object`, got `array`"),
        (b'{"timestamp":1,"input_length":1}', "trace:1: Object missing required field `output_length`"),
        (b'{"timestamp":-1,"input_length":1,"output_length":1}', "trace:1: Expected `float` >= 0"),
        (b'{"timestamp":1,"input_length":2147483648,"output_length":1}', "trace:1: Expected `int` <= 2147483647"),
        (AZURE + b"\r\n2023-11-16 18:17:05,1", "trace:4: expected 3 columns, got 2"),
        (AZURE + b"\r\nyesterday,1,1", "trace:4: Invalid RFC3339 encoded datetime - at `$.TIMESTAMP`"),
        (AZURE + b"\r\n2023-11-16 18:17:05,many,1", "trace:4: Expected `int`, got `str` - at `$.ContextTokens`"),
    ],
)
def test_it_names_file_and_line_of_what_it_cannot_read(content: bytes, message: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse(content)
    assert str(caught.value).startswith(message)


def test_it_refuses_a_line_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_LINE_BYTES", 100)
    with pytest.raises(TraceError, match="trace:3: the line is longer than 100 bytes"):
        parse(MOONCAKE + b"{" * 101)


def test_it_refuses_more_requests_than_it_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_REQUESTS", 1)
    with pytest.raises(TraceError, match="trace: the trace has more than 1 requests"):
        parse(MOONCAKE)


def test_it_says_which_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot read .*missing: No such file"):
        read_trace(tmp_path / "missing")


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"the public traces are not in {TRACES}")
@pytest.mark.parametrize(
    ("name", "requests", "seconds"),
    [("mooncake_conversation.jsonl", 12_031, 3537.0), ("azure_code_2023.csv", 8819, 3435.9)],
)
def test_it_reads_the_public_traces(name: str, requests: int, seconds: float) -> None:
    trace = read_trace(TRACES / name)
    assert len(trace) == requests
    assert trace[-1].at_seconds == pytest.approx(seconds, abs=0.1)


def test_the_sample_is_the_same_for_a_seed_and_another_for_another() -> None:
    one, same, other = (sample_trace(random.Random(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_the_sample_lasts_ten_minutes_and_comes_in_bursts_with_long_tails() -> None:
    trace = sample_trace(random.Random(0))
    assert len(trace) == 2000
    assert trace[0].at_seconds == 0
    assert trace[-1].at_seconds == pytest.approx(600)
    gaps = sorted(after.at_seconds - before.at_seconds for before, after in pairwise(trace))
    mean = sum(gaps) / len(gaps)
    # Evenly Poisson arrivals have a coefficient of variation of 1.
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 > 1.15 * mean
    for lengths, bound in (
        ([each.input_tokens for each in trace], 128_000),
        ([each.output_tokens for each in trace], 1000),
    ):
        assert min(lengths) >= 1
        assert sorted(lengths)[1000] * 5 < max(lengths) <= bound


def test_a_sample_of_one_request_begins_at_once() -> None:
    assert [each.at_seconds for each in sample_trace(random.Random(0), requests=1)] == [0.0]

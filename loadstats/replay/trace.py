# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Traces: when requests came and how long they were. Read from files of two public formats, told apart by content.

- JSON lines as Mooncake publishes them: `timestamp` (milliseconds), `input_length`, `output_length` (tokens).
- CSV as Azure publishes it: columns `TIMESTAMP` (a date and time), `ContextTokens`, `GeneratedTokens`.

Members and columns beyond these are ignored. Always holds: a trace is not empty, is sorted by time and starts at 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta, Struct

MAX_REQUESTS = 2_000_000
# Mooncake's longest line, a prompt of 126,195 tokens, has under 2,000 bytes.
MAX_LINE_BYTES = 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# The node's own bound for prompt_length.
Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class TraceRequest(Struct, frozen=True, gc=False):
    """One request: its arrival in seconds after the first, and its length in tokens."""

    at_seconds: float
    input_tokens: int
    output_tokens: int


class TraceError(ValueError):
    """A trace cannot be played. The text names file and line."""


class _MooncakeLine(Struct, gc=False):
    timestamp: Annotated[float, Meta(ge=0)]
    input_length: Tokens
    output_length: Tokens


class _AzureLine(Struct, gc=False, rename={"context_tokens": "ContextTokens", "generated_tokens": "GeneratedTokens"}):
    moment: datetime = msgspec.field(name="TIMESTAMP")
    context_tokens: Tokens
    generated_tokens: Tokens


def read_trace(path: Path) -> list[TraceRequest]:
    """Read the trace of a file. Raises `TraceError`, also if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return parse_trace(file, str(path))
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}") from error


def parse_trace(file: BinaryIO, name: str) -> list[TraceRequest]:
    """Read the trace of an open file. `name` is its name in errors."""
    lines = _numbered_lines(file, name)
    number, first = next(lines, (0, b""))
    if not first:
        raise TraceError(f"{name}: the trace has no requests")
    requests: Iterator[TraceRequest]
    if first.startswith(b"{"):
        requests = _mooncake(chain([(number, first)], lines), name)
    else:
        requests = _azure((number, first), lines, name)
    return in_order(requests, name)


def in_order(requests: Iterable[TraceRequest], name: str) -> list[TraceRequest]:
    """Return the requests sorted by time, with times moved so that the first is 0."""
    trace: list[TraceRequest] = []
    for request in requests:
        if len(trace) == MAX_REQUESTS:
            raise TraceError(f"{name}: the trace has more than {MAX_REQUESTS:,} requests")
        trace.append(request)
    if not trace:
        raise TraceError(f"{name}: the trace has no requests")
    trace.sort(key=lambda request: request.at_seconds)
    start = trace[0].at_seconds
    return [TraceRequest(each.at_seconds - start, each.input_tokens, each.output_tokens) for each in trace]


def _numbered_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE_BYTES + 1), b""), start=1):
        if len(line) > MAX_LINE_BYTES:
            raise TraceError(f"{name}:{number}: the line is longer than {MAX_LINE_BYTES:,} bytes")
        if text := line.removeprefix(_BYTE_ORDER_MARK).strip():
            yield number, text


def _mooncake(lines: Iterator[tuple[int, bytes]], name: str) -> Iterator[TraceRequest]:
    decoder = msgspec.json.Decoder(_MooncakeLine)
    for number, line in lines:
        try:
            row = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise TraceError(f"{name}:{number}: {error}") from error
        yield TraceRequest(row.timestamp / 1000, row.input_length, row.output_length)


def _azure(header: tuple[int, bytes], lines: Iterator[tuple[int, bytes]], name: str) -> Iterator[TraceRequest]:
    number, first = header
    columns = [column.strip() for column in first.decode("utf-8", "replace").split(",")]
    missing = [column for column in ("TIMESTAMP", "ContextTokens", "GeneratedTokens") if column not in columns]
    if missing:
        raise TraceError(
            f"{name}:{number}: neither a JSON object nor a CSV header with the column{'s'[: len(missing) - 1]} "
            + ", ".join(missing)
        )
    for number, line in lines:
        values = line.decode("utf-8", "replace").split(",")
        if len(values) != len(columns):
            raise TraceError(f"{name}:{number}: expected {len(columns)} columns, got {len(values)}")
        try:
            row = msgspec.convert(dict(zip(columns, values, strict=True)), _AzureLine, strict=False)
        except msgspec.ValidationError as error:
            raise TraceError(f"{name}:{number}: {error}") from error
        # A stamp without a zone is taken as UTC, as all stamps of a file are alike.
        moment = row.moment if row.moment.tzinfo else row.moment.replace(tzinfo=UTC)
        yield TraceRequest(moment.timestamp(), row.context_tokens, row.generated_tokens)

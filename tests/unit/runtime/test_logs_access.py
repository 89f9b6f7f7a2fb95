# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Access lines: their two forms, hostile ids, many threads, a reader that is gone."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.logs.access import CHUNK, LONGEST_ID, LONGEST_REASON, AccessLog, Row
from runtime.logs.rotation import RotatingFile
from runtime.logs.writer import LogWriter

Form = Literal["text", "json"]

WALL_NS = 1795435839_123456789
ROW: Row = (WALL_NS, "0af7651916cd43dd", "req-1", "POST", "/v1/load/stats", 200, 27_456, "10.0.0.7", "")

QUOTED = r'"(?:[^"\\]|\\.)*"'
VALUE = rf'(?:[^\s"\\]*|{QUOTED})'
TEXT_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) access"
    rf" trace=({VALUE}) request=({VALUE}) ({VALUE}) ({VALUE}) (\d+) (\d+)us client=({VALUE})(?: reason=({QUOTED}))?\n"
)

HOSTILE = (
    "two words",
    "a\n2026-11-23T12:10:39.123456Z access trace=1 request=2 GET / 200 1us",
    "\r\n\x00\x1b[2J\x7f",
    '" request=forged',
    "\\",
    "größer \u2028\u0085\u009b31m",
    "\ud800",
    "x" * 300,
    "é" * 300,
    "",
)
ANY_ID = st.one_of(st.text(st.characters(exclude_categories=())), st.sampled_from(HOSTILE))


class Memory:
    """A target that remembers."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: memoryview, /) -> int:
        self.written += data
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...


def written(form: Form, rows: list[Row]) -> bytes:
    target = Memory()
    writer = LogWriter(target, lambda lost: b"lost %d\n" % lost)
    access = AccessLog(writer, form)
    for row in rows:
        access.record(*row)
    access.flush()
    writer.close(10)
    return target.written


def shown(value: str) -> str:
    """What a text line holds for a value, read back."""
    return str(json.loads(value)) if value.startswith('"') else value


def test_a_text_line_reads_as_documented() -> None:
    assert written("text", [ROW]) == (
        b"2026-11-23T12:10:39.123456Z access trace=0af7651916cd43dd request=req-1 POST /v1/load/stats 200 27us"
        b" client=10.0.0.7\n"
    )


def test_a_json_line_reads_as_documented() -> None:
    assert written("json", [ROW]) == (
        b'{"time":"2026-11-23T12:10:39.123456Z","logger":"access","trace_id":"0af7651916cd43dd","request_id":"req-1",'
        b'"method":"POST","route":"/v1/load/stats","status":200,"duration_us":27.456,"client":"10.0.0.7"}\n'
    )


def test_only_values_that_are_not_plain_are_quoted() -> None:
    line = written("text", [(WALL_NS, "two words", "req-1", "GET", "/", 400, 999, "::1", "")])
    assert line.endswith(b' trace="two words" request=req-1 GET / 400 0us client=::1\n')


@pytest.mark.parametrize("reason", ["ip: expected an address, got '\u2028'", '" client=forged', "x" * 900, "é\n" * 300])
def test_a_refused_call_has_its_reason_in_one_line(reason: str) -> None:
    rows = [ROW, (*ROW[:5], 400, 1, "10.0.0.7", reason), ROW]
    read = [TEXT_LINE.fullmatch(line) for line in written("text", rows).decode("ascii").splitlines(keepends=True)]
    assert all(line and line[8] == "10.0.0.7" for line in read)
    assert [line and line[9] and json.loads(line[9]) for line in read] == [None, reason[:LONGEST_REASON], None]
    told = [json.loads(line) for line in written("json", rows).decode("ascii").splitlines()]
    assert [line.get("reason") for line in told] == [None, reason[:LONGEST_REASON], None]
    assert [line["client"] for line in told] == ["10.0.0.7"] * 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_each_line_has_the_time_of_its_own_second(form: Form) -> None:
    times = [WALL_NS, WALL_NS + 1_000_000_000, WALL_NS, WALL_NS + 876_543_210, WALL_NS + 876_543_211]
    lines = written(form, [(time, *ROW[1:]) for time in times]).decode().splitlines()
    assert [re.findall(r"T(\d\d:\d\d:\d\d\.\d{6})Z", line) for line in lines] == [
        ["12:10:39.123456"],
        ["12:10:40.123456"],
        ["12:10:39.123456"],
        ["12:10:39.999999"],
        ["12:10:40.000000"],
    ]


@given(st.lists(st.tuples(ANY_ID, ANY_ID), min_size=1, max_size=4))
@example([(value, value) for value in HOSTILE])
def test_any_ids_make_one_text_line_each_and_read_back(ids: list[tuple[str, str]]) -> None:
    lines = written("text", [(WALL_NS, *pair, *ROW[3:]) for pair in ids])
    assert lines.isascii()
    read = [TEXT_LINE.fullmatch(line) for line in lines.decode().splitlines(keepends=True)]
    assert [line and (shown(line[2]), shown(line[3]), *line.group(4, 5, 6)) for line in read] == [
        (trace_id[:LONGEST_ID], request_id[:LONGEST_ID], "POST", "/v1/load/stats", "200")
        for trace_id, request_id in ids
    ]


@given(st.lists(st.tuples(ANY_ID, ANY_ID), min_size=1, max_size=4))
@example([(value, value) for value in HOSTILE])
def test_any_ids_make_one_json_line_each_and_read_back(ids: list[tuple[str, str]]) -> None:
    lines = written("json", [(WALL_NS, *pair, *ROW[3:]) for pair in ids])
    assert lines.isascii()
    read = [json.loads(line) for line in lines.decode().splitlines()]
    assert [(row["trace_id"], row["request_id"], row["status"]) for row in read] == [
        (trace_id[:LONGEST_ID], request_id[:LONGEST_ID], 200) for trace_id, request_id in ids
    ]


ONE_CHARACTER = [chr(code) for code in (*range(0x180), 0x2028, 0x2029, 0xD800, 0xDFFF, 0xFEFF, 0xFFFF, 0x10FFFF)]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("place", ["trace_id", "request_id", "method", "route"])
def test_any_character_alone_reads_back(form: Form, place: str) -> None:
    """Alone in its line, and in a chunk of its own: no other value makes that line be quoted."""
    at = ("trace_id", "request_id", "method", "route").index(place)
    for value in (*ONE_CHARACTER, '""', '\\"', '"x', 'x"', "\\\\", "x\\", "="):
        row: Row = (WALL_NS, *(value if each == at else "plain" for each in range(4)), 200, 1, "::1", "")  # type: ignore[assignment]
        (line,) = written(form, [row]).decode("ascii").splitlines(keepends=True)
        if form == "json":
            read = json.loads(line)
            assert read[place] == value
            assert [read[name] for name in ("status", "logger")] == [200, "access"]
        else:
            match = TEXT_LINE.fullmatch(line)
            assert match, line
            assert [shown(each) for each in match.group(2, 3, 4, 5)] == [
                value if each == at else "plain" for each in range(4)
            ]
            bare = value in {'"', "\\"} or not value.isprintable() or " " in value
            assert not (bare and value in line.split(" "))


@given(ANY_ID, ANY_ID)
def test_not_even_methods_and_routes_can_break_a_line(method: str, route: str) -> None:
    (line,) = written("text", [(*ROW[:3], method, route, 200, 1, "", "")]).decode().splitlines(keepends=True)
    match = TEXT_LINE.fullmatch(line)
    assert match
    assert (shown(match[4]), shown(match[5])) == (method, route)
    (line,) = written("json", [(*ROW[:3], method, route, 200, 1, "", "")]).decode().splitlines()
    assert (json.loads(line)["method"], json.loads(line)["route"]) == (method, route)


class Gate(Memory):
    """Writes only once it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.opened = threading.Event()

    def write(self, data: memoryview, /) -> int:
        self.entered.set()
        assert self.opened.wait(60)
        return super().write(data)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


def test_lines_are_handed_over_by_the_chunk_and_the_rest_by_a_flush() -> None:
    target = Memory()
    writer = LogWriter(target, lambda lost: b"")
    access = AccessLog(writer, "text")
    for _ in range(CHUNK + 1):
        access.record(*ROW)
    assert writer.drain(10)
    assert target.written.count(b"\n") == CHUNK
    access.flush()
    assert writer.drain(10)
    assert target.written.count(b"\n") == CHUNK + 1
    access.flush()
    writer.close(10)
    assert target.written.count(b"\n") == CHUNK + 1


def test_a_reader_that_stands_still_costs_lines_and_is_told_how_many(gate: Gate) -> None:
    writer = LogWriter(gate, lambda lost: b"lost %d\n" % lost, limit=16 * 1024)
    access = AccessLog(writer, "text")
    access.record(*ROW)
    access.flush()
    assert gate.entered.wait(60)
    for _ in range(10 * CHUNK):
        access.record(*ROW)
    lost = access.dropped
    assert 0 < lost < 10 * CHUNK
    gate.opened.set()
    writer.close(10)
    lines = gate.written.splitlines(keepends=True)
    assert lines.pop() == b"lost %d\n" % lost
    assert len(lines) + lost == 10 * CHUNK + 1


def test_a_row_recorded_while_another_thread_formats_comes_with_the_next() -> None:
    target = Memory()
    writer = LogWriter(target, lambda lost: b"")
    access = AccessLog(writer, "text")
    formatting, carry_on = threading.Event(), threading.Event()
    put = writer.put

    def slow_put(lines: bytes, *, urgent: bool) -> None:
        formatting.set()
        assert carry_on.wait(60)
        put(lines, urgent=urgent)

    writer.put = slow_put  # type: ignore[method-assign]
    access.record(*ROW)
    flushing = threading.Thread(target=access.flush)
    flushing.start()
    assert formatting.wait(60)
    for _ in range(CHUNK + 1):
        access.record(*ROW)  # does not wait for the other thread
    carry_on.set()
    flushing.join(60)
    access.flush()
    writer.close(10)
    assert target.written.count(b"\n") == CHUNK + 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_of_many_threads_arrives_once(form: Form, tmp_path: Path) -> None:
    threads, each = 8, 3000
    path = tmp_path / "access.log"
    writer = LogWriter(RotatingFile(path, hours=1, count=1, clock=lambda: 0.0), lambda lost: b"lost\n")
    access = AccessLog(writer, form)
    start = threading.Barrier(threads)

    def run(thread: int) -> None:
        start.wait(60)
        for number in range(each):
            access.record(WALL_NS, "t", f"<{thread}.{number}>", "GET", "/", 200, 0)

    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    finally:
        sys.setswitchinterval(interval)
    access.flush()
    writer.close(10)
    found = re.findall(r"<(\d+\.\d+)>", path.read_text())
    assert len(found) == threads * each
    assert set(found) == {f"{thread}.{number}" for thread in range(threads) for number in range(each)}

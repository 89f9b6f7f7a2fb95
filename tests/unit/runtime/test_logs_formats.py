# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Records of the application log as text and as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.logs.formats import JsonLineFormatter, TextFormatter, one_line, rfc3339

BEGAN = 1795435839.1234  # 2026-11-23T12:10:39.123Z
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


def record(message: str, *args: object, level: int = logging.WARNING, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("loadstats.ledger", level, __file__, 1, message, args, more.pop("exc_info", None))
    made.created = BEGAN
    made.__dict__.update(more)
    return made


def raised(error: Exception) -> Any:
    with pytest.raises(type(error)) as caught:
        raise error
    return type(error), error, caught.tb


def test_a_text_record_is_time_level_logger_and_message() -> None:
    line = TextFormatter().format(record("%d engines, model %s", 3, "größer"))
    assert line == "2026-11-23T12:10:39.123Z WARN loadstats.ledger 3 engines, model größer"


@pytest.mark.parametrize(("level", "name"), [(5, "TRACE"), (30, "WARN"), (50, "FATAL")])
def test_levels_are_named_as_in_the_contract(level: int, name: str) -> None:
    assert TextFormatter().format(record("x", level=level)).split()[1] == name
    assert json.loads(JsonLineFormatter().format(record("x", level=level)))["level"] == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (0.9999, "1970-01-01T00:00:00.999Z"), (86399.005, "1970-01-01T23:59:59.005Z")],
)
def test_times_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text


def test_a_text_message_cannot_forge_a_record() -> None:
    line = TextFormatter().format(record("x\n2026-11-23T12:10:39.123Z INFO root all is well\x1b[2J"))
    assert line.endswith("ledger x\\n2026-11-23T12:10:39.123Z INFO root all is well\\x1b[2J")


def test_a_traceback_follows_its_text_record_behind_tabs() -> None:
    trouble = raised(RuntimeError("first\nsecond\x1b[0m"))
    head, *lines = TextFormatter().format(record("it broke", exc_info=trouble, stack_info="Stack:\n  here")).split("\n")
    assert head.endswith("WARN loadstats.ledger it broke")
    assert lines[0] == "\tTraceback (most recent call last):"
    assert lines[-4:] == ["\tRuntimeError: first", "\tsecond\\x1b[0m", "\tStack:", "\t  here"]


def test_a_traceback_formatted_elsewhere_is_kept() -> None:
    assert TextFormatter().format(record("x", exc_text="Traceback\nE")).endswith("ledger x\n\tTraceback\n\tE")


def test_a_json_record_is_one_line_with_its_traceback() -> None:
    line = JsonLineFormatter().format(record("a\nb", exc_info=raised(ValueError("c\nd")), stack_info="Stack:\n  here"))
    assert "\n" not in line
    read = json.loads(line)
    assert list(read) == ["time", "level", "logger", "message", "exception", "stack"]
    assert read["time"] == "2026-11-23T12:10:39.123Z"
    assert read["logger"] == "loadstats.ledger"
    assert read["message"] == "a\nb"
    assert read["exception"].endswith("ValueError: c\nd")
    assert read["stack"] == "Stack:\n  here"


def test_a_json_record_shows_extra_values_but_not_what_is_for_other_formatters() -> None:
    read = json.loads(JsonLineFormatter().format(record("x", status_code=404, request=object(), color_message="x")))
    assert read["status_code"] == 404
    assert set(read) == {"time", "level", "logger", "message", "status_code"}


@given(ANY_TEXT)
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    line.encode()
    if text.isprintable():
        assert line == text


@given(ANY_TEXT)
def test_any_json_message_is_one_line_and_reads_back(text: str) -> None:
    line = JsonLineFormatter().format(record("%s", text))
    assert line.isascii()
    assert line.splitlines() == [line]
    assert json.loads(line)["message"] == text

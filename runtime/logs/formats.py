# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a record of the application log looks, as text and as JSON. Pure.

Messages hold text from clients, so no character of it may end a line, start one or control a terminal. As text a
message is one line with everything unprintable escaped. A traceback follows it, each line behind a tab, so that only
records start in the first column. As JSON a record is one line of ASCII, traceback included.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from runtime.logs.levels import name_of

# What libraries attach to their records for formatters of their own: uvicorn's colours, Django's request object.
_FOREIGN: Final = ("color_message", "request", "server_time", "taskName")


def rfc3339(seconds: float) -> str:
    """Write wall time, in seconds since 1970, in UTC with milliseconds: `2026-11-23T12:10:39.123Z`."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03}Z"


def one_line(text: str) -> str:
    """Escape every unprintable character as Python does: newlines, terminal escapes, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class TextFormatter(logging.Formatter):
    """`2026-11-23T12:10:39.123Z WARN loadstats.ledger message`, then a traceback's lines behind tabs."""

    def format(self, record: logging.LogRecord) -> str:
        message = one_line(record.getMessage())
        lines = [f"{rfc3339(record.created)} {name_of(record.levelno)} {record.name} {message}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        elif record.exc_text:
            lines += record.exc_text.splitlines()
        if record.stack_info:
            lines += record.stack_info.splitlines()
        return "\n\t".join(map(one_line, lines))


class JsonLineFormatter(JsonFormatter):
    """`{"time", "level", "logger", "message"}`, then `exception`, `stack` and what the record brought as `extra`."""

    def __init__(self) -> None:
        super().__init__(
            ["message"],
            rename_fields={"exc_info": "exception", "stack_info": "stack"},
            reserved_attrs=[*RESERVED_ATTRS, *_FOREIGN],
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = rfc3339(record.created)
        log_data["level"] = name_of(record.levelno)
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)

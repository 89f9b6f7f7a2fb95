# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A page's table as a file: `?format=csv` or `?format=json` at the page's own address. Django's threads.

The file has all rows that the page would show over all its pages, at most `MOST_ROWS`, with plain numbers. Its text is
made while it is sent, some rows at a time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from time import sleep
from typing import Any, Literal

import msgspec
from django.http import HttpRequest, StreamingHttpResponse

Format = Literal["csv", "json"]

MOST_ROWS = 100_000  # 20 MB of rows with the longest names
SLICE = 500  # rows written before others may run: 1 ms
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def asked_format(request: HttpRequest) -> Format | None:
    """Return the kind of file that is asked for; None for the page itself."""
    match request.GET.get("format"):
        case "csv":
            return "csv"
        case "json":
            return "json"
    return None


def table_file(
    kind: Format, name: str, members: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> StreamingHttpResponse:
    """Return rows as a file that browsers save.

    `name`: of the file, without its end.
    `members`: the columns, in order. A row may lack some.
    """
    bounded = islice(rows, MOST_ROWS)
    parts = _csv(members, bounded) if kind == "csv" else _json(members, bounded)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip("-.") or "table"
    headers = {"Content-Disposition": f'attachment; filename="{plain}.{kind}"'}
    return StreamingHttpResponse(parts, content_type=TYPES[kind], headers=headers)


def harmless(value: object) -> object:
    """Return a CSV cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _csv(members: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(members)
    for number, row in enumerate(rows, 1):
        writer.writerow([harmless(row.get(member, "")) for member in members])
        if number % SLICE == 0:
            yield _taken(text)
            sleep(0)
    yield _taken(text)


def _json(members: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    yield b"["
    for number, row in enumerate(rows):
        shown = msgspec.json.encode({member: row[member] for member in members if member in row})
        yield b",\n" + shown if number else shown
        if number % SLICE == SLICE - 1:
            sleep(0)
    yield b"]\n"


def _taken(text: StringIO) -> bytes:
    taken = text.getvalue()
    text.seek(0)
    text.truncate()
    return taken.encode()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Copies of the history, as they travel to a peer and to the disk: msgpack, a few clusters a page. Pure.

A copy says how old its last step and minute are; clocks do not travel. What is read from a copy is bounded: unknown
columns, odd numbers and rows that are too old are passed over, and nothing takes the place of what is known here.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Generator, Sequence
from math import nan
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from edge.body import MAX_NAME
from loadstats.history.columns import CLUSTER_COLUMNS, ENGINE_COLUMNS, Column
from loadstats.history.history import History
from loadstats.history.kept import KeptEngine
from loadstats.history.ring import Ring
from loadstats.history.series import MINUTE_SECONDS, MINUTES, PER_MINUTE, STEP_SECONDS, STEPS, Series

PAGE: Final = 4
"""Clusters of one page: 110 KB at most, made in 0.3 ms."""

MOST_COLUMNS: Final = 64
MOST_SERIES: Final = 1024
MOST_AGE_MS: Final = MINUTES * MINUTE_SECONDS * 1000
LARGEST: Final = 2.0**63  # of a number

Rows = Annotated[bytes, Meta(max_length=MOST_COLUMNS * STEPS * 4)]
Columns = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MOST_COLUMNS)]


class SeriesCopy(Struct, frozen=True, array_like=True):
    """One series. Its rows end at the page's last step and minute; 32-bit floats, the low byte first.

    `cluster`: its name; empty for all clusters together.
    `engine`: its name; empty for the cluster's own series.
    `steps`, `minutes`: the rows.
    """

    cluster: Annotated[str, Meta(max_length=MAX_NAME)]
    engine: Annotated[str, Meta(max_length=MAX_NAME)]
    steps: Rows
    minutes: Rows


class HistoryPage(Struct, frozen=True, array_like=True):
    """Some clusters by name. A page without series is the end.

    `cluster_columns`, `engine_columns`: what the rows' numbers are.
    `step_age_ms`, `minute_age_ms`: how long ago the last step, and the last step of the last minute, was.
    `series`: each cluster's series before those of its engines.
    """

    cluster_columns: Columns
    engine_columns: Columns
    step_age_ms: Annotated[int, Meta(ge=0)]
    minute_age_ms: Annotated[int, Meta(ge=0)]
    series: Annotated[list[SeriesCopy], Meta(max_length=MOST_SERIES)]


class HistoryWant(Struct, frozen=True, array_like=True):
    """What is asked of a peer: the clusters behind a name; empty for the first ones."""

    after: Annotated[str, Meta(max_length=MAX_NAME)]


_encode = Encoder().encode
_read_page = Decoder(HistoryPage).decode
_CLUSTER = [column.name for column in CLUSTER_COLUMNS]
_ENGINE = [column.name for column in ENGINE_COLUMNS]


class HistoryCopies:
    """Writes and reads one history's copies."""

    def __init__(self, history: History) -> None:
        self._history = history

    def page(self, after: str) -> tuple[bytes, str]:
        """Return the page behind a name, and the last name on it; empty where there are no more."""
        history = self._history
        names = sorted(name for name in list(history.clusters) if name > after)[:PAGE]
        step = history.latest
        minute = step // PER_MINUTE - 1
        series: list[SeriesCopy] = []
        if not after:
            series.append(_copy("", "", history.total, step, minute))
        for name in names:
            kept = history.clusters[name]
            series.append(_copy(name, "", kept.series, step, minute))
            series += [_copy(name, engine, each.series, step, minute) for engine, each in list(kept.engines.items())]
        ages = (history.age_seconds(step, minutes=False), history.age_seconds(minute, minutes=True))
        step_ms, minute_ms = (max(0, int(age * 1000)) for age in ages)
        page = HistoryPage(_CLUSTER, _ENGINE, step_ms, minute_ms, series)
        return _encode(page), names[-1] if names else ""

    def pages(self) -> Generator[bytes, None, None]:
        """Yield all pages."""
        after = ""
        while self._history.latest:
            page, after = self.page(after)
            yield page
            if not after:
                return

    def merge(self, body: bytes, older_ms: int = 0) -> Generator[None, None, str]:
        """Take a page's rows where this node has gaps. Each `yield` ends a slice.

        `older_ms`: how long ago the page was written. Returns the last cluster's name; empty at the end. Raises
        ValidationError or DecodeError if the page cannot be read.
        """
        page = _read_page(body)
        history = self._history
        step_age, minute_age = page.step_age_ms + older_ms, page.minute_age_ms + older_ms
        now = history.now()
        step = round((now - min(step_age, MOST_AGE_MS) / 1000) / STEP_SECONDS)
        step = min(step, history.step())  # the present one is not sampled yet, or only just
        ended = (now - min(minute_age, 2 * MOST_AGE_MS) / 1000) / STEP_SECONDS
        minute = min(round((ended + 1) / PER_MINUTE) - 1, history.step() // PER_MINUTE - 1)
        last = ""
        for copy in page.series:
            last = copy.cluster
            series = self._series(copy)
            if series is not None:
                names = page.engine_columns if copy.engine else page.cluster_columns
                if step_age < MOST_AGE_MS:
                    series.steps.fill(step, _rows(series.columns, names, copy.steps, STEPS))
                    yield
                series.minutes.fill(minute, _rows(series.columns, names, copy.minutes, MINUTES))
            yield
        history.trim()
        history.latest = max(history.latest, step)
        return last

    def _series(self, copy: SeriesCopy) -> Series | None:
        """Return the series that a copy is of; None if there is no room for it."""
        history = self._history
        if not copy.cluster:
            return history.total
        kept = history.open(copy.cluster)
        if kept is None or not copy.engine:
            return None if kept is None else kept.series
        engine = kept.engines.get(copy.engine)
        if engine is None and len(kept.engines) < history.share:
            engine = kept.engines[copy.engine] = KeptEngine()
        return None if engine is None else engine.series


def _copy(cluster: str, engine: str, series: Series, step: int, minute: int) -> SeriesCopy:
    return SeriesCopy(cluster, engine, _bytes(series.steps, step, STEPS), _bytes(series.minutes, minute, MINUTES))


def _bytes(ring: Ring, last: int, count: int) -> bytes:
    """Return a ring's rows up to a step, without the gaps before the first."""
    rows = ring.rows(last, count)
    first = next((at for at in range(0, len(rows), ring.width) if rows[at] == rows[at]), len(rows))
    return _swapped(rows[first:]).tobytes()


def _rows(columns: Sequence[Column], names: Sequence[str], packed: bytes, most: int) -> array[float]:
    """Return a copy's rows in our columns, at most so many; none if they are no rows."""
    width = len(names)
    if not width or len(packed) % (4 * width) or len(packed) > 4 * width * most or len(set(names)) < width:
        return array("f")
    found = array("f")
    found.frombytes(packed)
    known = [each if 0 <= each <= LARGEST else nan for each in _swapped(found)]
    gap = [nan] * (len(known) // width)
    by_name = {name: known[at::width] for at, name in enumerate(names)}
    ours = [by_name.get(column.name, gap) for column in columns]
    return array("f", [each for row in zip(*ours, strict=True) for each in row])


def _swapped(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values.byteswap()
    return values

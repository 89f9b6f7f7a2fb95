# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call that asks for the last minutes of a cluster, an engine, or all. Thread-safe."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Literal

from msgspec import Meta, ValidationError, convert
from msgspec.json import encode

from edge.addresses import EngineNames
from edge.body import MAX_NAME, Name
from edge.call import AsyncHandler, Call, Route, query_value
from edge.caller import Scope
from edge.cooperative import run_in_slices, run_whole
from edge.errors import InvalidInput
from edge.reach import check_cluster, within
from loadstats.history.history import History, LoadHistory

HISTORY = "/v1/load/history"

Range = Annotated[Literal["15m", "1h"], Meta(description="how far back")]
Step = Annotated[Literal[10, 60], Meta(description="seconds between two numbers: 60 of an hour, else 10 or 60")]

RANGES = ("15m", "1h")
STEPS = {"15m": ("10", "60"), "1h": ("60",)}
MINUTES_OF_15M = 15


class HistoryHandlers:
    """Handlers over one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._canonical = EngineNames().canonical

    def routes(self) -> tuple[Route, ...]:
        """Return the call's route."""
        return (
            Route(
                "GET",
                HISTORY,
                run_whole(self.history),
                async_handler=AsyncHandler(run_in_slices(self.history)),
                scope=Scope.READ,
            ),
        )

    def history(self, call: Call) -> Generator[None, None, bytes]:
        """`GET /v1/load/history`: what the load was, as this node saw it.

        Of a cluster, of one of its busiest engines, or, without `cluster`, of all clusters together; a key that may
        name only some clusters gets the sums of those. The last 15 minutes come in steps of 10 s, the last hour in
        steps of 60 s, whose numbers are means. The last number of each series was at `end_ns`. A number is null if it
        is unknown: the node did not run, or the cluster or engine was not kept.
        """
        cluster = _name(call.query, b"cluster")
        engine = _name(call.query, b"engine")
        if engine is not None:
            if cluster is None:
                raise InvalidInput("engine: expected a cluster beside it, as in ?cluster=NAME&engine=NAME")
            engine = self._one_form(engine)
        minutes, last = _window(call.query)
        if cluster is not None:
            if call.caller is not None:
                check_cluster(call.caller, cluster)
            read = self._history.minutes_of if minutes else self._history.steps_of
            return encode(_latest(read(cluster, engine), last))
        if call.caller is None or not call.caller.clusters:
            return encode(_latest(self._history.total_of(minutes=minutes), last))
        names = within(call.caller, list(self._history.clusters))
        found = yield from self._history.joined(names, minutes=minutes)
        return encode(_latest(found, last))

    def _one_form(self, engine: str) -> str:
        try:
            return self._canonical(engine)
        except InvalidInput:
            raise InvalidInput(f"engine: expected an engine's name, as in 10.0.0.1:8000/0, got {engine!r}") from None


def _window(query: bytes) -> tuple[bool, int | None]:
    """Return whether minutes are asked for, and how many of the last ones; None for all."""
    span = query_value(query, b"range")
    if span is None:
        span = RANGES[0]
    if span not in RANGES:
        raise InvalidInput(f"range: expected {' or '.join(RANGES)}, got {span[:80]!r}")
    step = query_value(query, b"step")
    if step is None:
        step = STEPS[span][0]
    if step not in STEPS[span]:
        raise InvalidInput(f"step: expected {' or '.join(STEPS[span])} for a range of {span}, got {step[:80]!r}")
    minutes = step == "60"
    return minutes, MINUTES_OF_15M if minutes and span == "15m" else None


def _latest(found: LoadHistory, count: int | None) -> LoadHistory:
    """Return the last numbers of a piece; all of them if `count` is None."""
    if count is None:
        return found
    series = {name: numbers[-count:] for name, numbers in found.series.items()}
    return LoadHistory(found.step_seconds, found.end_ns, series)


def _name(query: bytes, member: bytes) -> str | None:
    text = query_value(query, member)
    if text is None:
        return None
    try:
        return convert(text, Name)
    except ValidationError:
        raise InvalidInput(f"{member.decode()}: expected a name of 1 to {MAX_NAME} characters") from None

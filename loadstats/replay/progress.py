# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The progress of a replay: a bar on a terminal, else a line for each tenth. Runs on the loop until cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .measures import Measures

_REFRESH_SECONDS = 0.25


async def show_progress(
    measures: Measures, planned: int, console: Console, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Show how many of the `planned` requests are done. Runs on the loop: a thread would disturb the measurement."""
    show = _bar if console.is_terminal else _lines
    await show(measures, planned, console, sleep)


async def _bar(measures: Measures, planned: int, console: Console, sleep: Callable[[float], Awaitable[None]]) -> None:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("requests, {task.fields[open]:,} open, {task.fields[errors]:,} errors"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        bar = progress.add_task("", total=planned, open=0, errors=0)
        while True:
            progress.update(bar, completed=measures.ended, open=measures.open, errors=measures.errors.total())
            progress.refresh()
            await sleep(_REFRESH_SECONDS)


async def _lines(measures: Measures, planned: int, console: Console, sleep: Callable[[float], Awaitable[None]]) -> None:
    shown = 0
    while True:
        if (tenths := measures.ended * 10 // planned) > shown:
            shown = tenths
            console.print(
                f"{tenths * 10:3} %  {measures.ended:,} of {planned:,} requests, {measures.open:,} open, "
                f"{measures.errors.total():,} errors",
                highlight=False,
            )
        await sleep(_REFRESH_SECONDS)

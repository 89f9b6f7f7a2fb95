# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node that is alone numbers what its clients report, and keeps little of it."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from replication import numbering as module
from replication.numbering import Numbering
from tests.unit.replication.lives import Life, Machine


def test_events_are_numbered_from_start_to_stop_and_the_journal_is_kept_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIM_SECONDS", 0.005)
    life = Life(Machine())
    life.ledger.journal = None

    def begin() -> None:
        life.ledger.journal = life.journal

    def end() -> None:
        life.ledger.journal = None

    numbering = Numbering(begin, lambda: life.replica.trim(()), end)
    life.add("before")

    async def main() -> None:
        numbering.start()
        for number in range(30_000):
            life.add(f"r{number}")
        life.write()  # else the journal waits for the tail
        ends = monotonic() + 60
        while len(life.journal) > 17_000:
            assert monotonic() < ends
            await asyncio.sleep(0.005)
        await numbering.stop()

    asyncio.run(main())
    life.add("behind")
    assert life.journal.latest == 30_000
    origins = {each.request_id: each.origin for each in life.ledger.requests.records()}
    assert origins["r7"] is life.journal.origin
    assert origins["before"] is origins["behind"] is None


def test_one_that_never_started_may_be_stopped() -> None:
    ended: list[int] = []
    asyncio.run(Numbering(lambda: None, lambda: None, lambda: ended.append(1)).stop())
    assert ended == [1]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which nodes a node lists as those it shares the log with."""

from __future__ import annotations

from msgspec.structs import replace

from replication.log.announcement import written
from replication.log.roster import BEAT_SECONDS, SILENCE_SECONDS, Roster
from tests.unit.replication.test_log_lacks import announced

STEPS_UNTIL_SILENT = int(SILENCE_SECONDS / BEAT_SECONDS) + 2


def test_a_node_that_fell_silent_is_missed_until_its_next_life_is_there() -> None:
    roster, now = Roster("a@1", ("", "a"), 600.0), 1.0

    def see(*beats: tuple[str, int]) -> list[str]:
        """Look at announcements of lives at the address `b`. Returns the lives listed."""
        nonlocal now
        now += BEAT_SECONDS
        lives = {life: replace(announced(life, beat, {}), address="b") for life, beat in beats}
        roster.take({life: written(each) for life, each in lives.items()}, now)
        return [each.latest.origin for each in roster.here_or_missed()]

    assert see(("b@1", 1)) == ["b@1"]
    assert see(("b@1", 2)) == ["b@1"]
    for _ in range(STEPS_UNTIL_SILENT):
        assert see(("b@1", 2)) == ["b@1"]
    assert see(("b@1", 2), ("b@2", 1)) == ["b@1", "b@2"], "what is announced once may be as old as the other"
    assert see(("b@1", 2), ("b@2", 2)) == ["b@2"]

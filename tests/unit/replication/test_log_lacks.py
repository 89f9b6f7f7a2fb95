# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What nodes on a log lack of each other, and which of them may write it."""

from __future__ import annotations

import pytest

from replication.log.announcement import Announcement, written
from replication.log.lacks import Lacks
from replication.log.roster import BEAT_SECONDS, Roster
from replication.paths import VERSION
from tests.unit.replication.raw_peer import Node

AT = (1, 0)
GONE = "gone@1"


def announced(origin: str, beat: int, vector: dict[str, int], *, loaded: str = "", oldest: int = 1) -> Announcement:
    return Announcement(VERSION, origin, beat, "g", AT, True, True, False, oldest, vector, 0, loaded=loaded)


def looked(own: dict[str, int], *others: Announcement, snapshot: str = "", origin: str = "a@1") -> Lacks:
    """A node's lacks after it has seen the others announce the same three times."""
    node = Node(origin)
    roster = Roster(origin, ("", origin), 600.0)
    lacks = Lacks(node.replica, node.journal, roster)
    for beat in range(1, 4):
        bodies = {
            each.origin: written(announced(each.origin, beat, each.vector, loaded=each.loaded, oldest=each.oldest))
            for each in others
        }
        roster.take(bodies, beat * BEAT_SECONDS)
        lacks.look(announced(origin, beat, own), snapshot, caught_up=True)
    return lacks


@pytest.mark.parametrize(
    ("snapshot", "loaded", "needed"),
    [
        ("", "of a log that was lost", True),
        ("", "", True),
        ("latest", "latest", True),
        ("latest", "of before", False),
    ],
)
def test_what_another_lacks_is_to_be_written_unless_a_snapshot_is_there_to_be_loaded(
    snapshot: str, loaded: str, *, needed: bool
) -> None:
    other = announced("b@1", 1, {GONE: 3, "b@1": 0}, loaded=loaded)
    assert looked({GONE: 5, "a@1": 0}, other, snapshot=snapshot).others is needed


def test_of_nodes_that_have_the_same_one_may_write() -> None:
    vector = {GONE: 5, "a@1": 0, "b@1": 0}
    assert not looked(vector, announced("b@1", 1, vector)).dominated
    assert looked(vector, announced("a@1", 1, vector), origin="b@1").dominated


def test_a_node_that_lacks_what_another_has_leaves_it_to_that_one_to_write() -> None:
    more, less = {GONE: 5, "a@1": 0, "b@1": 0}, {GONE: 4, "a@1": 0, "b@1": 0}
    assert looked(less, announced("b@1", 1, more)).dominated
    assert not looked(more, announced("b@1", 1, less)).dominated


def test_nodes_that_lack_something_of_each_other_may_both_write() -> None:
    assert not looked({GONE: 5, "b@1": 3}, announced("b@1", 1, {GONE: 4, "b@1": 9}, oldest=6)).dominated

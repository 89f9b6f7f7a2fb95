# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Full collections are rare, however fast objects are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.full_collections import FULL, MIDDLE, NEVER, REST, YOUNG, FullCollections


class Clock:
    """Each full collection takes a second by it; else it stands still."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.full = 0

    def __call__(self) -> float:
        return self.seconds

    def note(self, phase: str, info: dict[str, int]) -> None:
        """Count a full collection."""
        if info["generation"] == 2 and phase == "start":
            self.full += 1
            self.seconds += 1.0


@contextmanager
def watched() -> Iterator[Clock]:
    """A clock beside collections that are kept rare."""
    clock = Clock()
    collections = FullCollections(clock=clock)
    before = gc.get_threshold()
    collections.start()
    gc.callbacks.append(clock.note)  # behind the other: what it adds is how long the collection takes
    try:
        yield clock
    finally:
        gc.callbacks.remove(clock.note)
        collections.stop()
        assert gc.get_threshold() == before
        gc.collect()


def test_the_next_full_collection_may_come_after_a_rest() -> None:
    with watched() as clock:
        gc.collect()
        for seconds, most in ((1.0, NEVER), (REST, NEVER), (1.0 + REST, FULL), (2.0 + REST, FULL)):
            clock.seconds = seconds
            gc.collect(1)
            assert gc.get_threshold() == (YOUNG, MIDDLE, most)
        gc.collect()
        assert gc.get_threshold() == (YOUNG, MIDDLE, NEVER)


def test_during_the_rest_there_is_none_however_many_objects_are_made() -> None:
    with watched() as clock:
        gc.collect()
        kept = [[number] for number in range(100_000)]
        assert clock.full == 1
        del kept


def test_a_smaller_collection_looks_at_little_however_many_objects_are_made() -> None:
    sizes: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 1:
            sizes.append(len(gc.get_objects(0)) + len(gc.get_objects(1)))

    with watched():
        gc.collect()
        gc.callbacks.append(note)
        try:
            kept = [[number] for number in range(50_000)]
        finally:
            gc.callbacks.remove(note)
        del kept
    assert len(sizes) > 50
    assert max(sizes) <= 2 * (MIDDLE + 1) * YOUNG


def test_it_may_be_stopped_more_than_once() -> None:
    before = gc.get_threshold(), list(gc.callbacks)
    collections = FullCollections()
    collections.start()
    collections.stop()
    collections.stop()
    assert (gc.get_threshold(), list(gc.callbacks)) == before

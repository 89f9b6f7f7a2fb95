# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Rotation by time and count, on a clock that is handed in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.logs.rotation import RotatingFile

HOUR = 3600.0
NOON = 1795435200.0  # 2026-11-23T12:00:00Z


class Clock:
    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


class Opener:
    """Opens rotating files in one folder and closes them at the end."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.path = path
        self.opened: list[RotatingFile] = []

    def __call__(self, *, hours: int = 1, count: int = 3) -> RotatingFile:
        self.opened.append(RotatingFile(self.path, hours=hours, count=count, clock=self.clock))
        return self.opened[-1]

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.path.parent.iterdir()}


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    made = Opener(tmp_path / "logs" / "deep" / "node.log")
    yield made
    for file in made.opened:
        file.close()


def test_it_makes_missing_folders_and_appends(opener: Opener) -> None:
    for _ in range(2):
        file = opener()
        assert file.write(memoryview(b"a\n")) == 2
        assert file.fileno() > 2
    assert opener.files() == {"node.log": b"a\na\n"}


def test_it_starts_anew_with_each_window_and_keeps_so_many(opener: Opener) -> None:
    file = opener(count=2)
    for hour in range(5):
        opener.clock.seconds = NOON + hour * HOUR + 1
        file.write(memoryview(b"%d\n" % hour))
        file.write(memoryview(b"%d\n" % hour))
    assert opener.files() == {
        "node.log.2026-11-23_14": b"2\n2\n",
        "node.log.2026-11-23_15": b"3\n3\n",
        "node.log": b"4\n4\n",
    }


def test_a_day_ends_at_midnight_utc(opener: Opener) -> None:
    file = opener(hours=24)
    file.write(memoryview(b"a\n"))
    opener.clock.seconds = NOON + 12 * HOUR - 1
    file.write(memoryview(b"b\n"))
    opener.clock.seconds = NOON + 12 * HOUR
    file.write(memoryview(b"c\n"))
    assert opener.files() == {"node.log.2026-11-23_00": b"a\nb\n", "node.log": b"c\n"}


def test_a_file_from_an_earlier_run_is_rotated_under_its_own_window(opener: Opener) -> None:
    opener().write(memoryview(b"old\n"))
    os.utime(opener.path, (NOON - 5 * HOUR, NOON - 5 * HOUR))
    opener().write(memoryview(b"new\n"))
    assert opener.files() == {"node.log.2026-11-23_07": b"old\n", "node.log": b"new\n"}


def test_only_its_own_rotated_files_are_deleted(opener: Opener) -> None:
    file = opener(count=1)
    others = ("node.log.keep", "node.log.2026-11-23_07.gz", "other.log.2026-11-23_07")
    for name in others:
        (opener.path.parent / name).touch()
    for hour in range(3):
        opener.clock.seconds = NOON + hour * HOUR
        file.write(memoryview(b"x\n"))
    assert set(opener.files()) == {*others, "node.log", "node.log.2026-11-23_13"}


def test_it_never_writes_over_a_rotated_file(opener: Opener, caplog: pytest.LogCaptureFixture) -> None:
    file = opener()
    (opener.path.parent / "node.log.2026-11-23_12").write_bytes(b"precious\n")
    for hour in range(3):
        opener.clock.seconds = NOON + hour * HOUR
        file.write(memoryview(b"%d\n" % hour))
    assert opener.files() == {
        "node.log.2026-11-23_12": b"precious\n",
        "node.log.2026-11-23_13": b"0\n1\n",
        "node.log": b"2\n",
    }
    assert "node.log.2026-11-23_12 is there already" in caplog.text


def test_it_warns_once_a_window_when_it_cannot_rotate(opener: Opener, caplog: pytest.LogCaptureFixture) -> None:
    file = opener()
    (opener.path.parent / "node.log.2026-11-23_12").mkdir()
    opener.clock.seconds += HOUR
    for _ in range(3):
        assert file.write(memoryview(b"a\n")) == 2
    assert opener.path.read_bytes() == b"a\na\na\n"
    assert len(caplog.records) == 1


def test_a_file_that_was_deleted_is_begun_anew_with_the_next_window(opener: Opener) -> None:
    file = opener()
    file.write(memoryview(b"a\n"))
    opener.path.unlink()
    opener.clock.seconds += HOUR
    file.write(memoryview(b"b\n"))
    assert opener.files() == {"node.log": b"b\n"}


def test_what_is_not_a_regular_file_is_never_renamed(opener: Opener) -> None:
    opener.path.parent.mkdir(parents=True)
    os.mkfifo(opener.path)
    reading = os.open(opener.path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = opener()
        opener.clock.seconds = os.stat(opener.path).st_mtime + 2 * HOUR
        file.write(memoryview(b"a\n"))
        assert os.read(reading, 10) == b"a\n"
    finally:
        os.close(reading)
    assert [path.name for path in opener.path.parent.iterdir()] == ["node.log"]


def test_a_clock_set_back_does_not_rotate(opener: Opener) -> None:
    file = opener()
    opener.clock.seconds -= 3 * HOUR
    file.write(memoryview(b"a\n"))
    assert opener.files() == {"node.log": b"a\n"}


def test_it_refuses_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        RotatingFile(tmp_path, hours=1, count=1, clock=Clock())

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The snapshot's files: private, whole, of one process, and as they are where the disk gives up."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from replication.snapshot import files as module
from replication.snapshot.files import ASIDE, BESIDE, SNAPSHOT, SnapshotFiles
from replication.snapshot.frames import framed

HEAD, BODY = framed(b"head"), framed(b"body" * 20)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[SnapshotFiles]:
    files = SnapshotFiles(tmp_path)
    assert files.claim()
    yield files
    files.close()


def tails(files: SnapshotFiles) -> list[list[bytes]]:
    with files.opened() as (_, found):
        return [list(each) for each in found]


def fill(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Make the disk as good as full: so many bytes find room."""
    left = [room]

    def write(file: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        size = min(left[0], len(data))
        left[0] -= size
        return os.write(file, data[:size])

    monkeypatch.setattr(module, "write", write)


def test_all_files_are_their_users_alone(files: SnapshotFiles) -> None:
    mask = os.umask(0)
    try:
        files.begin_tail(files.next_tail(), HEAD)
        files.begin()
        files.finish(1)
        files.begin()
    finally:
        os.umask(mask)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in files.path.iterdir()}
    assert found == {SNAPSHOT: 0o600, BESIDE: 0o600, "load.tail.1": 0o600, "lock": 0o600}
    assert stat.S_IMODE(files.path.stat().st_mode) == 0o700


def test_a_snapshot_is_in_place_when_it_is_whole_and_takes_the_tails_before_it_away(files: SnapshotFiles) -> None:
    files.begin_tail(1, HEAD)
    files.append(BODY)
    files.begin_tail(2, HEAD)
    files.begin()
    files.add(HEAD)
    assert not (files.path / SNAPSHOT).exists()
    files.add(BODY)
    assert files.tails() == [1, 2]
    files.finish(2)
    assert (files.path / SNAPSHOT).read_bytes() == HEAD + BODY
    assert files.tails() == [2]
    assert (files.snapshot_bytes, files.tail_bytes) == (len(HEAD + BODY), len(HEAD))
    assert not (files.path / BESIDE).exists()


def test_one_that_is_not_finished_leaves_the_one_before(files: SnapshotFiles) -> None:
    for body in (b"first", b"second"):
        files.begin_tail(files.next_tail(), HEAD)
        files.begin()
        files.add(body)
        if body == b"first":
            files.finish(1)
    files.abandon()
    assert (files.path / SNAPSHOT).read_bytes() == b"first"
    assert not (files.path / BESIDE).exists()


@pytest.mark.parametrize("room", [0, 1, len(BODY) - 1])
def test_a_full_disk_leaves_the_tail_whole(files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    files.begin_tail(1, HEAD)
    files.append(BODY)
    with monkeypatch.context() as full:
        fill(full, room)
        with pytest.raises(OSError, match="No space left"):
            files.append(BODY)
    files.append(BODY)
    assert tails(files) == [[b"head", b"body" * 20, b"body" * 20]]
    assert files.tail_bytes == len(HEAD + BODY + BODY)


def test_a_full_disk_lets_events_go_where_they_went(files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.begin_tail(1, HEAD)
    with monkeypatch.context() as full:
        fill(full, 3)
        with pytest.raises(OSError, match="No space left"):
            files.begin_tail(files.next_tail(), HEAD)
    files.append(BODY)
    assert tails(files) == [[b"head", b"body" * 20]]


def test_tails_are_bounded(files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TAIL_BYTES", len(HEAD + BODY) + 10)
    files.begin_tail(1, HEAD)
    files.append(BODY)
    with pytest.raises(OSError, match="no snapshot stands for"):
        files.append(BODY)
    files.begin()
    files.begin_tail(2, HEAD)
    files.finish(2)
    files.append(BODY)


def test_without_a_tail_nothing_is_appended(files: SnapshotFiles) -> None:
    with pytest.raises(OSError, match="no tail"):
        files.append(BODY)


def test_what_is_set_aside_takes_the_place_of_what_was_before(files: SnapshotFiles) -> None:
    for body in (b"first", b"second"):
        files.begin_tail(files.next_tail(), HEAD)
        files.begin()
        files.add(body)
        files.finish(1)
        aside = files.set_aside()
        assert files.tails() == []
        assert not (files.path / SNAPSHOT).exists()
        assert (aside / SNAPSHOT).read_bytes() == body
    assert sorted(each.name for each in (files.path / ASIDE).iterdir()) == [SNAPSHOT, "load.tail.2"]


def test_a_second_process_is_kept_out_for_as_long_as_the_first_lives(tmp_path: Path, files: SnapshotFiles) -> None:
    assert not SnapshotFiles(tmp_path).claim()
    files.close()
    ask = "\n".join(
        (
            "from pathlib import Path",
            "from replication.snapshot.files import SnapshotFiles",
            f"print(SnapshotFiles(Path({str(tmp_path)!r})).claim(), flush=True)",
            "input()",
        )
    )
    with subprocess.Popen(
        [sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not SnapshotFiles(tmp_path).claim()
        other.kill()
        other.wait()
    assert SnapshotFiles(tmp_path).claim()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_text("a file")
    with pytest.raises(OSError, match="exists"):
        SnapshotFiles(tmp_path).claim()


def test_numbers_of_tails_are_never_used_twice(files: SnapshotFiles) -> None:
    for number in (9, 10, 11):
        files.begin_tail(number, HEAD)
    (files.path / "load.tail.x").touch()
    assert files.tails() == [9, 10, 11]
    assert files.next_tail() == 12
    files.drop_tails_before(99)
    assert files.tails() == []
    assert files.next_tail() == 12

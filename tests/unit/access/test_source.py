# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Watching a source: what is taken, what holds while it is broken, and what is said of that."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Event

import pytest

from access.file_source import FileSource
from access.grant import Grant, grant
from access.key_ring import KeyChanges, KeyRing
from access.source import SourceWatch
from runtime.health import PartState

ENTRY = '[[key]]\nname = "{}"\nsha256 = "{}"\nscopes = ["read"]\n'


class FileWatch:
    """A file that a test writes, and the watch on it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.toml"
        self.write("a")
        self.ring = KeyRing()
        self.changes: list[KeyChanges] = []
        self.watch = SourceWatch(FileSource(str(self.file)), self.ring, now=lambda: 0.0, on_changes=self.changes.append)

    def write(self, *names: str) -> None:
        self.file.write_text("".join(ENTRY.format(name, name.encode().hex().zfill(64)) for name in names))

    def names(self) -> list[str]:
        self.watch.look()
        return [each.name for each in self.ring.grants("file")]


@pytest.fixture
def watched(tmp_path: Path) -> FileWatch:
    return FileWatch(tmp_path)


def test_a_changed_file_is_taken_whatever_its_time_and_size_say(watched: FileWatch) -> None:
    assert watched.names() == ["a"]
    before = watched.file.stat()
    watched.write("b")
    os.utime(watched.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watched.file.stat().st_size == before.st_size
    assert watched.names() == ["b"]
    assert watched.watch.state() == (PartState.OK, "file: 1")


def test_each_change_of_the_file_is_handed_on_by_name_and_the_first_look_is_none(watched: FileWatch) -> None:
    watched.write("a", "b", "c")
    watched.names()
    assert watched.changes == []
    watched.file.write_text(
        ENTRY.format("b", "0" * 64) + ENTRY.format("c", b"c".hex().zfill(64)) + ENTRY.format("d", "1" * 64)
    )
    watched.names()
    assert watched.changes == [KeyChanges(["d"], ["b"], ["a"])]
    watched.file.write_text(f"# a remark\n{watched.file.read_text()}")
    watched.names()
    watched.file.write_text('[[key]]\nname = "e"\n')  # it can't be used
    watched.names()
    assert len(watched.changes) == 1
    watched.file.write_text("")
    watched.names()
    assert watched.changes[1:] == [KeyChanges([], [], ["b", "c", "d"])]


def test_a_key_that_hides_another_source_s_is_a_change_of_its_own_source_alone() -> None:
    ring = KeyRing()
    for source in ("file", "database"):
        ring.add_source(source)
    ring.replace("database", [grant("gw", b"1", ["read"])])
    assert ring.replace("file", [grant("gw", b"2", ["read"])]) == KeyChanges(["gw"], [], [])
    assert not ring.replace("database", [grant("gw", b"1", ["read"])])
    assert ring.replace("database", [grant("gw", b"1", ["write"])]) == KeyChanges([], ["gw"], [])


def test_a_file_that_is_replaced_by_a_link_is_taken(watched: FileWatch, tmp_path: Path) -> None:
    """As Kubernetes changes what it mounts."""
    assert watched.names() == ["a"]
    new = tmp_path / "..data"
    new.write_text(ENTRY.format("c", "0" * 64))
    (tmp_path / "link").symlink_to(new)
    (tmp_path / "link").rename(watched.file)
    assert watched.names() == ["c"]


def test_a_broken_file_keeps_the_old_keys_and_says_so_until_it_is_mended(
    watched: FileWatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert watched.names() == ["a"]
    caplog.clear()
    watched.file.write_text('[[key]]\nname = "b"\n')
    with caplog.at_level(logging.INFO, "access"):
        for _ in range(3):
            assert watched.names() == ["a"]
        state, detail = watched.watch.state()
        assert state is PartState.DEGRADED
        assert detail == (
            f'file: {watched.file}:1: key "b": sha256: missing; the keys read at 1970-01-01T00:00:00Z hold'
        )
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert str(watched.file) in record.getMessage()
        watched.write("a", "b")
        assert watched.names() == ["a", "b"]
    assert caplog.messages[1:] == ["keys new: b", "keys of the file: read again"]
    assert watched.watch.state() == (PartState.OK, "file: 2")


def test_a_broken_file_that_becomes_what_it_was_is_well_again(watched: FileWatch) -> None:
    assert watched.names() == ["a"]
    content = watched.file.read_bytes()
    watched.file.write_bytes(b"[[")
    assert watched.names() == ["a"]
    assert watched.watch.problem
    watched.file.write_bytes(content)
    assert watched.names() == ["a"]
    assert not watched.watch.problem
    watched.file.write_bytes(b"[[")
    watched.names()
    assert watched.watch.problem


def test_a_file_that_is_gone_keeps_the_old_keys_and_an_empty_one_none(watched: FileWatch) -> None:
    assert watched.names() == ["a"]
    watched.file.unlink()
    assert watched.names() == ["a"]
    assert "No such file" in watched.watch.problem
    watched.file.write_text("")
    assert watched.names() == []
    assert not watched.watch.problem


class FakeSource:
    """A source that fails when a test wants it to."""

    name = "database"

    def __init__(self) -> None:
        self.found: list[Grant] | None = [grant("a", b"a" * 32, ["read"])]
        self.error: Exception | None = None
        self.looks = 0
        self.noted: list[list[Grant]] = []
        self.looked = Event()
        self.closed = Event()

    def look(self) -> list[Grant] | None:
        self.looks += 1
        self.looked.set()
        if self.error is not None:
            raise self.error
        return self.found

    def note_used(self, grants: list[Grant]) -> None:
        self.noted.append(grants)

    def close(self) -> None:
        self.closed.set()


def test_a_source_that_never_could_be_read_says_that_no_key_holds() -> None:
    source = FakeSource()
    source.error = OSError("connection refused\nis it running?")
    watch = SourceWatch(source, KeyRing())
    watch.look()
    said = "database: connection refused is it running?; none of its keys holds"
    assert watch.state() == (PartState.DEGRADED, said)
    source.error = TimeoutError()
    watch.look()
    assert watch.problem == "TimeoutError"


def test_the_thread_looks_at_once_when_it_is_asked_to_and_ends() -> None:
    source, ring = FakeSource(), KeyRing()
    watch = SourceWatch(source, ring, interval_seconds=3600)
    watch.start(60)
    assert len(ring) == 1
    source.looked.clear()
    source.found = []
    watch.look_soon()
    assert source.looked.wait(60)
    watch.stop(60)
    assert source.closed.wait(60)
    assert len(ring) == 0
    assert source.noted[-1] == []


def test_a_source_that_hangs_does_not_hold_up_the_start_or_the_stop() -> None:
    source, go_on = FakeSource(), Event()

    def hang() -> list[Grant] | None:
        go_on.wait(60)
        return None

    source.look = hang  # type: ignore[method-assign]
    watch = SourceWatch(source, KeyRing())
    watch.start(0.01)
    watch.stop(0.01)
    assert not source.closed.is_set()
    go_on.set()
    assert source.closed.wait(60)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When a node writes its tail and its snapshot: with real files, and with a disk that fails, hangs and comes back."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest

from replication.replica import Replica
from replication.snapshot import keeper as module
from replication.snapshot.files import SnapshotFiles
from replication.snapshot.keeper import SnapshotKeeper
from replication.snapshot.metrics import SnapshotCollector
from replication.snapshot.part import OwnSnapshot
from runtime.health import PartState
from tests.unit.replication.lives import REQUEST_SECONDS, Life, Machine

LIMIT_SECONDS = 60.0


class RealTime(Machine):
    """A machine whose time is that of the tests'."""

    def monotonic(self) -> float:
        return monotonic()


class FailingFiles(SnapshotFiles):
    """Files on a disk that fails, or hangs, when it is told to."""

    fault: OSError | None = None
    hang: Event | None = None

    def append(self, frames: bytes) -> None:
        self._meet()
        super().append(frames)

    def add(self, frame: bytes) -> None:
        self._meet()
        super().add(frame)

    def _meet(self) -> None:
        if self.hang is not None:
            self.hang.wait(LIMIT_SECONDS)
        if self.fault is not None:
            raise self.fault


async def until(condition: Callable[[], object]) -> None:
    ends = monotonic() + LIMIT_SECONDS
    while not condition():
        assert monotonic() < ends, "it did not happen"
        await asyncio.sleep(0.005)


def kept(folder: Path, life: Life) -> tuple[FailingFiles, SnapshotKeeper]:
    files = FailingFiles(folder)
    assert files.claim()
    return files, SnapshotKeeper(life.replica, life.journal, files, alone=True)


def restored(folder: Path, origin: str = "n@2") -> tuple[Life, OwnSnapshot]:
    """Another life, from what is in the folder."""
    life = Life(RealTime(), origin)
    own = OwnSnapshot(
        life.replica, life.journal, folder, alone=True, most_seconds=REQUEST_SECONDS, forget=life.ledger.clear
    )
    own.restore()
    return life, own


def closed(files: SnapshotFiles) -> bool:
    """Whether another may use the files: the disk's thread has let go of them."""
    other = SnapshotFiles(files.path.parent)
    claimed = other.claim()
    other.close()
    return claimed


def test_events_are_on_the_disk_soon_and_a_stop_leaves_a_whole_snapshot(tmp_path: Path) -> None:
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        await until(lambda: files.tail_bytes)
        before = files.tail_bytes
        life.add("a")
        await until(lambda: files.tail_bytes > before)
        life.add("b")
        keeper.flush()
        await until(keeper.flushed)
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    assert (files.path / "load.snapshot").exists()
    assert keeper.state()[0] is PartState.OK
    assert keeper.state()[1].startswith("written 20")
    new, own = restored(tmp_path)
    assert new.live() == {"a", "b"}
    assert own.restored is not None
    assert own.restored.clean
    state, detail = own.state()
    assert state is PartState.OK
    assert detail.startswith("restored from 20")


@pytest.mark.no_cover
def test_a_stop_without_a_flush_leaves_everything_in_the_tail(tmp_path: Path) -> None:
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        await until(lambda: files.tail_bytes)
        for number in range(20_000):
            life.add(f"r{number}")
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    new, own = restored(tmp_path)
    assert len(new.live()) == 20_000
    assert own.restored is not None
    assert own.restored.clean


def test_snapshots_come_by_themselves_and_take_the_tail_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        for number in range(500):
            life.add(f"r{number}")
        await until(lambda: files.snapshot_bytes > 20_000 and files.tail_bytes < 1_000)
        first = files.tails()
        await until(lambda: files.tails() > first)
        await keeper.stop()

    asyncio.run(main())
    values = {metric.name: metric.samples[0].value for metric in SnapshotCollector(keeper).collect()}
    assert values["metadata_center_snapshot_bytes"] == files.snapshot_bytes
    assert 0 <= values["metadata_center_snapshot_age_seconds"] < LIMIT_SECONDS
    assert 0 < values["metadata_center_snapshot_write_busy_seconds"] < values["metadata_center_snapshot_write_seconds"]
    assert values["metadata_center_snapshot_failures"] == 0


@pytest.mark.parametrize("how", ["joins", "gap", "pending"])
def test_a_node_that_misses_something_writes_no_snapshot(tmp_path: Path, how: str) -> None:
    life = Life(RealTime(), "n@1")
    if how == "joins":
        life.replica.joined = False
    elif how == "gap":
        life.replica.gaps.add("10.0.0.2:8080")
    else:
        life.replica.pending["caches"].add("10.0.0.2:8080")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        life.add("a")
        keeper.flush()
        await until(keeper.flushed)
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    assert not (files.path / "load.snapshot").exists()
    assert restored(tmp_path)[0].live() == {"a"}


def test_a_full_disk_is_said_once_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "SNAPSHOT_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)
    caplog.set_level("INFO")

    async def main() -> None:
        keeper.start()
        await until(lambda: files.tail_bytes)
        files.fault = OSError(errno.ENOSPC, "No space left on device")
        life.add("a")
        await until(lambda: keeper.errors.keys() == {"tail", "snapshot"} and keeper.failures > 5)
        assert keeper.state()[0] is PartState.DEGRADED
        assert "No space left on device" in keeper.state()[1]
        life.add("b")
        files.fault = None
        await until(lambda: not keeper.errors)
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    said = [each.getMessage() for each in caplog.records if "cannot be written" in each.getMessage()]
    assert len(said) == 2
    assert all("No space left on device" in each for each in said)
    assert restored(tmp_path)[0].live() == {"a", "b"}


def test_a_hole_in_the_tail_is_filled_by_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "REST", 0)
    life = Life(RealTime(), "n@1", capacity=2_000)
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        await until(lambda: files.tail_bytes)
        files.fault = OSError(errno.ENOSPC, "No space left on device")
        await until(lambda: keeper.errors or life.journal.latest or life.add("first"))
        await until(lambda: keeper.errors)
        for number in range(3_000):
            life.add(f"r{number}")
        life.replica.trim(())
        files.fault = None
        await until(lambda: files.snapshot_bytes)
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    new, own = restored(tmp_path)
    assert len(new.live()) == 3_001
    assert new.replica.vector()["n@1"] == 3_001
    assert own.restored is not None
    assert own.restored.clean


def test_a_disk_that_hangs_holds_up_neither_the_loop_nor_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_WRITE_SECONDS", 0.05)
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)
    hang = Event()

    async def main() -> None:
        keeper.start()
        await until(lambda: files.tail_bytes)
        before = files.tail_bytes
        files.hang = hang
        life.add("a")
        turns = 0
        for _ in range(1000):
            await asyncio.sleep(0)
            turns += 1
        assert turns == 1000
        keeper.flush()
        await keeper.stop()
        assert files.tail_bytes == before

    try:
        asyncio.run(main())
    finally:
        hang.set()


def test_a_fault_of_ours_is_said_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("why")

    monkeypatch.setattr(module, "Capture", broken)

    async def main() -> None:
        keeper.start()
        life.add("a")
        keeper.flush()
        await until(keeper.flushed)
        assert keeper.errors["snapshot"] == (
            "the snapshot cannot be written: a fault of this node: ZeroDivisionError: why"
        )
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    assert restored(tmp_path)[0].live() == {"a"}


def damage(folder: Path, how: str) -> None:
    path = folder / "snapshot" / "load.snapshot"
    if how == "torn":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"something else")


@pytest.mark.parametrize("how", ["torn", "missing", "foreign"])
def test_what_cannot_be_used_is_set_aside_and_said(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        life.add("a")
        keeper.flush()
        await until(keeper.flushed)
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    damage(tmp_path, how)
    new, own = restored(tmp_path)
    assert own.restored is None
    assert new.live() == set()
    assert "the node begins with nothing" in caplog.text
    assert files.tails() == []
    assert list((files.path / "set-aside").glob("load.tail.*"))
    assert own.state() == (PartState.OK, "")


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    life = Life(RealTime(), "n@1")
    files, _ = kept(tmp_path, life)
    _, own = restored(tmp_path)
    state, detail = own.state()
    assert state is PartState.DEGRADED
    assert "in use by another process" in detail

    async def main() -> None:
        own.start()
        own.flush()
        assert own.flushed()
        await own.stop()

    asyncio.run(main())
    assert [each.name for each in files.path.iterdir()] == ["lock"]
    files.close()


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_text("a file")
    _, own = restored(tmp_path)
    state, detail = own.state()
    assert state is PartState.DEGRADED
    assert "nothing can be kept" in detail


def test_a_fault_while_it_is_restored_keeps_no_node_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    life = Life(RealTime(), "n@1")
    files, keeper = kept(tmp_path, life)

    async def main() -> None:
        keeper.start()
        life.add("a")
        keeper.flush()
        await until(keeper.flushed)
        life.add("b")
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("why")

    monkeypatch.setattr(Replica, "take", broken)  # what the tail needs, when the snapshot is merged already
    new, own = restored(tmp_path)
    assert own.restored is None
    assert new.live() == set()
    assert new.replica.vector() == {"n@2": 0}
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("handed_on", [False, True])
def test_a_life_that_had_not_handed_on_everything_is_followed_by_one_behind_a_gap(
    tmp_path: Path, *, handed_on: bool
) -> None:
    life = Life(RealTime(), "n@1")
    files = FailingFiles(tmp_path)
    assert files.claim()
    keeper = SnapshotKeeper(life.replica, life.journal, files, alone=False, handed_on=lambda: handed_on)

    async def main() -> None:
        keeper.start()
        life.add("a")
        await keeper.stop()
        await until(lambda: closed(files))

    asyncio.run(main())
    new, own = restored(tmp_path)
    assert own.restored is not None
    assert own.restored.handed_on == handed_on
    assert new.journal.oldest == (1 if handed_on else 2)

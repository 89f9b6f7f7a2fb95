# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's folder: who may read it, and who may use it at a time."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from runtime import data_folder
from runtime.config import ConfigError
from runtime.data_folder import DataFolder

HOLDER = """
import sys
from pathlib import Path
from runtime.data_folder import DataFolder
with DataFolder(Path(sys.argv[1])).in_use_by_this_node():
    print("held", flush=True)
    sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_new_folder_and_all_files_of_its_database_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    DataFolder(folder).prepare("people.sqlite3")
    database = sqlite3.connect(folder / "people.sqlite3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE t (x)")
    names = {path.name for path in folder.iterdir()}
    assert names == {"people.sqlite3", "people.sqlite3-wal", "people.sqlite3-shm"}
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    database.close()


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0o644), (0o777, 0o666), (0o750, 0o640), (0o700, 0o600)])
def test_what_an_earlier_release_made_becomes_private(tmp_path: Path, folder_mode: int, file_mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    files = [folder / name for name in ("people.sqlite3", "people.sqlite3-wal", "people.sqlite3-shm", "secret.key")]
    for path in files:
        path.write_text("kept")
        path.chmod(file_mode)
    log = folder / "node.log"  # may be for others to read
    log.touch(0o644)
    log.chmod(0o644)
    folder.chmod(folder_mode)
    DataFolder(folder).prepare("people.sqlite3", "secret.key")
    assert mode(folder) == 0o700
    assert {mode(path) for path in files} == {0o600}
    assert {path.read_text() for path in files} == {"kept"}
    assert mode(log) == 0o644


def test_a_folder_that_is_for_everybody_stays_so(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    DataFolder(folder).prepare("people.sqlite3")
    assert mode(folder) == 0o1777
    assert mode(folder / "people.sqlite3") == 0o600


@pytest.mark.parametrize("below", ["", "data"])
def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=rf"^\[Node\] DataDir: cannot keep files in {file / below}: [^\n]+$"):
        DataFolder(file / below).prepare("people.sqlite3")


def test_one_node_uses_a_folder_at_a_time(tmp_path: Path) -> None:
    with DataFolder(tmp_path).in_use_by_this_node():
        with (
            pytest.raises(
                ConfigError, match=rf"^\[Node\] DataDir: {tmp_path} is in use by another node \(process"
            ) as e,
            DataFolder(tmp_path).in_use_by_this_node(),
        ):
            pytest.fail("two nodes in one folder")
        assert f"process {os.getpid()} on " in str(e.value)
        with DataFolder(tmp_path).alone_at("migration"):  # other work goes on beside it
            pass
        (tmp_path / "other").mkdir()
        with DataFolder(tmp_path / "other").in_use_by_this_node():
            pass
    with DataFolder(tmp_path).in_use_by_this_node():
        pass


def test_a_node_that_is_killed_leaves_its_folder_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"process {holder.pid} on "), DataFolder(tmp_path).in_use_by_this_node():
            pass
        holder.kill()
        holder.wait()
        with DataFolder(tmp_path).in_use_by_this_node():
            pass


def test_the_same_work_is_done_by_one_process_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    def work() -> None:
        with DataFolder(tmp_path).alone_at("migration"):
            order.append("second")

    second = Thread(target=work)
    with DataFolder(tmp_path).alone_at("migration"):
        second.start()
        second.join(0.2)
        assert second.is_alive()
        order.append("first")
    second.join(60)
    assert order == ["first", "second"]


def test_waiting_for_another_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "WAIT_SECONDS", 0.01)
    with (
        DataFolder(tmp_path).alone_at("migration"),
        pytest.raises(ConfigError, match=r"^\[Node\] DataDir: waited 0\.01 s for another process to end its migration"),
        DataFolder(tmp_path).alone_at("migration"),
    ):
        pytest.fail("two at once")


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    flock: Callable[[int, int], None] = refuse
    monkeypatch.setattr("fcntl.flock", flock)
    with DataFolder(tmp_path).in_use_by_this_node(), DataFolder(tmp_path).in_use_by_this_node():
        pass

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node starts wherever people put it: real processes, started the way they do."""

from __future__ import annotations

import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import sleep

import msgspec
import pytest

from tests.nodes import ROOT, START_SECONDS, NodeProcess, inherited_environment, running_node
from tests.ports import free_port
from tests.processes import cpu_seconds as cpu_seconds_of
from tests.processes import handles

PASSWORD = "long enough and of no one"
# Of CPU time, at most: 0.04 on an idle machine.
PYTHON_STARTS_SECONDS = 0.3
FREE_PORTS = "[HTTP]\nHost = '127.0.0.1'\nPort = 0\n[PProf]\nPort = 0\n"


def manage(*words: str, covered: bool = False, **environment: str) -> subprocess.Popen[str]:
    """A command as a user starts it in a checkout, with nothing of ours in its environment; seen by coverage or not."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env=inherited_environment(covered=covered) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(*words: str, **environment: str) -> str:
    """What a command says that ends well."""
    process = manage(*words, covered=True, **environment)
    output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, output
    return output


def configuration(folder: Path) -> str:
    """A file that names a DataDir of its own."""
    file = folder / "node.toml"
    file.write_text(f"{FREE_PORTS}[Node]\nDataDir = '{folder / 'data'}'\n")
    return str(file)


def names(folder: Path, column: str) -> list[str]:
    """What a column of the accounts' database holds, as `auth_user.username`."""
    table, _, name = column.partition(".")
    with closing(sqlite3.connect(folder / "data" / "people.sqlite3")) as database:
        return sorted(found for (found,) in database.execute(f"SELECT {name} FROM {table}"))


@pytest.mark.parametrize(
    "zone",
    [pytest.param("", marks=pytest.mark.slow), pytest.param("Europe/Berlin", marks=pytest.mark.slow), "No/Such_Zone"],
)
def test_it_starts_on_a_machine_without_zone_files(tmp_path: Path, zone: str) -> None:
    """An empty search path is how Python sees such a machine."""
    with running_node(tmp_path, new=True, PYTHONTZPATH="", TZ=zone) as node:
        assert node.call("GET", "/readyz")[0] == 200
        assert node.stop() == 0
    assert "Traceback" not in "".join(node.output)


@pytest.mark.slow
def test_the_go_version_s_cache_variables_set_what_they_set_there(tmp_path: Path) -> None:
    environment = {
        "METADATA_CENTER_CACHE_GC_INTERVAL": "1m",
        "METADATA_CENTER_CACHE_EXPIRE": "30m",
        "METADATA_CENTER_CACHE_TOPK": "2",
        "METADATA_CENTER_DEBUG_MODE": "true",
    }
    with running_node(tmp_path, **environment) as node:
        node.wait_said("METADATA_CENTER_DEBUG_MODE: accepted, without effect")
        for number in range(4):
            save = {"cluster": "c", "ip": f"10.0.0.{number}", "prompt_hash": [1]}
            assert node.call("POST", "/v1/cache/save", save)[0] == 200
        query = {"cluster": "c", "prompt_hash": [1]}
        for asked, found in (({}, 2), ({"topk": 0}, 2), ({"topk": None}, 2), ({"topk": 3}, 3)):
            answer = msgspec.json.decode(node.call("POST", "/v1/cache/query", query | asked)[2])
            assert len(answer["data"]["locations"]) == found


@pytest.mark.parametrize("file", ["base.txt", "dev.txt"])
def test_zone_files_are_installed_on_every_platform(file: str) -> None:
    pins = re.findall(r"^tzdata==\S+(.*)$", (ROOT / "requirements" / file).read_text(), re.MULTILINE)
    assert pins == [""]


COMMANDS: dict[str, Callable[[str], str]] = {
    "createsuperuser": lambda file: done(
        "createsuperuser", "-c", file, "--noinput", "--username", "u", "--email", "", DJANGO_SUPERUSER_PASSWORD=PASSWORD
    ),
    "ensure_admin": lambda file: done("ensure_admin", "-c", file),
    "migrate": lambda file: done("migrate", "-c", file),
    "dumpdata": lambda file: done("--config", file, "dumpdata", "auth.user"),
    "shell": lambda file: done("shell", "--config", file, "-c", "import django"),
}
GROUPS = ["operator", "read-only"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "ensure_admin" else pytest.mark.slow) for name in COMMANDS]
)
def test_a_command_uses_the_folder_of_its_file_and_migrates_it(name: str, tmp_path: Path) -> None:
    COMMANDS[name](configuration(tmp_path))
    made = {"createsuperuser": ["u"], "ensure_admin": ["admin"]}.get(name, [])
    assert names(tmp_path, "auth_user.username") == made
    assert names(tmp_path, "auth_group.name") == GROUPS


@pytest.mark.slow
def test_many_commands_and_a_node_at_once_migrate_a_new_folder_once(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    processes = [manage("dumpdata", "-c", file, "auth.group") for _ in range(2)]
    node = NodeProcess(["manage.py", "run", "-c", file], tmp_path / "data", {}, covered=False)
    try:
        for process in processes:
            output, _ = process.communicate(timeout=START_SECONDS)
            assert process.returncode == 0, output
            assert output.count('"model": "auth.group"') == len(GROUPS)
        node.wait_for("  API ")
        assert names(tmp_path, "auth_group.name") == GROUPS
    finally:
        node.stop()
    assert "ERROR" not in "".join(node.output)


@pytest.mark.slow
def test_a_second_node_in_one_folder_stops_with_one_line_and_commands_work_beside_the_first(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    node = NodeProcess(["manage.py", "run", "-c", file], tmp_path / "data", {}, covered=False)
    try:
        node.port = int(node.wait_for("  API ").split(":")[-1].split("/")[0])
        second = manage("run", "-c", file)
        said, _ = second.communicate(timeout=START_SECONDS)
        assert second.returncode == 2
        expected = f"metadata-center: [Node] DataDir: {tmp_path / 'data'} is in use by another node "
        assert said.startswith(f"{expected}(process {node.process.pid} on ")
        assert said.count("\n") == 1
        COMMANDS["createsuperuser"](file)
        assert node.call("GET", "/admin/login/")[0] == 200
        files = [path for path in (tmp_path / "data").iterdir() if path.name.startswith("people.sqlite3")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    finally:
        node.stop(signal.SIGKILL)
    with running_node(tmp_path / "data") as again:  # what was killed leaves nothing behind
        assert again.call("GET", "/livez")[0] == 200


def test_a_node_whose_accounts_can_not_be_read_counts_load_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "people.sqlite3").write_text("not a database, but long enough to be taken for one" * 100)
    with running_node(tmp_path) as node:
        assert "ERROR" in node.wait_said("cannot open people's accounts in")
        assert node.call("POST", "/v1/load/stats", {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"})[0] == 200
    failed = manage("ensure_admin", METADATA_CENTER_NODE_DATA_DIR=str(tmp_path))
    said, _ = failed.communicate(timeout=START_SECONDS)
    assert (failed.returncode, said.count("\n")) == (2, 1)
    assert said.startswith("metadata-center: [Node] DataDir: cannot open people's accounts in ")


def interrupted(folder: Path, cpu_seconds: float, *words: str) -> tuple[int, str]:
    """The exit code and the output of a command that got Ctrl-C when it had used so much CPU time.

    By CPU time a moment of a start is the same, however busy the machine is.
    """
    folder.mkdir()
    file = configuration(folder)
    # Coverage would start before our first line, and Ctrl-C in it is a traceback.
    process = manage("-c", file, *words)
    # Wait until it has used that much, or has ended.
    while process.poll() is None and cpu_seconds_of(process.pid) < cpu_seconds:
        sleep(0.002)  # between two looks, not in place of one
    # Until our first line has run, Ctrl-C in Python is a traceback. On a slow machine that may take longer.
    while handles(process.pid, signal.SIGINT) and cpu_seconds_of(process.pid) < PYTHON_STARTS_SECONDS:
        sleep(0.002)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=START_SECONDS)
    return process.returncode, output


def assert_quiet(code: int, output: str) -> None:
    """Ended by the signal, or cleanly. Lines of the log are all that it may have said."""
    assert code in {0, -signal.SIGINT}, output
    assert not re.search("Traceback|Interrupt|Exception|Error", output), output


# Before about 0.04 s of CPU time Python starts, and none of our code can run.
@pytest.mark.parametrize("cpu_seconds", [0.08, 0.4, 1.2])
def test_ctrl_c_while_a_node_starts_is_quiet(tmp_path: Path, cpu_seconds: float) -> None:
    assert_quiet(*interrupted(tmp_path / "node", cpu_seconds, "run"))


def test_ctrl_c_while_a_command_starts_is_quiet(tmp_path: Path) -> None:
    for place, words in enumerate((["migrate"], ["dumpdata"])):
        assert_quiet(*interrupted(tmp_path / str(place), 0.3, *words))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "tenths"), [("run", 20), ("createsuperuser", 10), ("migrate", 10), ("run_cluster", 8), ("run_log", 8)]
)
def test_ctrl_c_at_any_moment_of_a_start_is_quiet(tmp_path: Path, command: str, tenths: int) -> None:
    """`tenths` of a second is what the command's start takes of the CPU, about; later it may stand still."""
    port = ["--port", str(free_port(["127.0.0.1", "127.0.0.2", "127.0.0.3"], count=2))]
    for step in range(1, tenths + 1):
        folder = tmp_path / str(step)
        code, output = interrupted(folder, step / 10, command, *(port if command in {"run_cluster", "run_log"} else []))
        if command == "createsuperuser" and code in {1, 130}:  # it handles Ctrl-C itself: "Operation cancelled."
            code = 0
        assert_quiet(code, output)

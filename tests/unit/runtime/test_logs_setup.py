# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole process's logging, set up from a configuration and changed at run time."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from celery.utils.log import get_task_logger

from edge.call import Call
from edge.errors import InvalidInput
from metadata_center.log_level import LogHandlers
from runtime.config.error import ConfigError
from runtime.config.schema import LogSettings
from runtime.logs.levels import UnknownLevel
from runtime.logs.setup import Logs, configure
from runtime.logs.writer import LIMIT

ROW = (1795435839_123456789, "t", "r", "GET", "/", 200, 1000)

Configure = Callable[..., Logs]


@pytest.fixture
def configured() -> Iterator[Configure]:
    """`configure` from the members of `[Log]`; closes what it set up and puts the process's logging back."""
    root = logging.getLogger()
    loggers = [root, *(known for known in root.manager.loggerDict.values() if isinstance(known, logging.Logger))]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    made: list[Logs] = []

    def build(**members: object) -> Logs:
        made.append(configure(msgspec.convert(members, LogSettings)))
        return made[-1]

    yield build
    for logs in made:
        logs.close()
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "node.log"


def to_file(file: Path, **more: object) -> dict[str, object]:
    return {"Output": "file", "OutputFile": str(file), "AccessOutput": "off", **more}


def messages(logs: Logs, file: Path) -> list[str]:
    """The text lines without their times, once all are written."""
    logs.close()
    return [line.split(" ", 1)[1] for line in file.read_text().splitlines()]


def test_both_logs_go_to_stdout_by_default(configured: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    logs = configured()
    logging.getLogger("somewhere").info("hello")
    assert logs.access is not None
    logs.access.record(*ROW)
    logs.close()
    first, second = capfd.readouterr().out.splitlines()
    assert first.endswith("Z INFO somewhere hello")
    assert second == "2026-11-23T12:10:39.123456Z access trace=t request=r GET / 200 1us client="
    assert logs.dropped == 0


def test_each_log_goes_where_it_is_told_to(
    configured: Configure, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = configured(Output="stderr", AccessOutput="file", AccessOutputFile=str(file), Format="json")
    logging.getLogger("somewhere").error("it broke", extra={"peer": "10.0.0.1"})
    assert logs.access is not None
    logs.access.record(*ROW)
    logs.close()
    out, err = capfd.readouterr()
    assert out == ""
    line = json.loads(err)
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "somewhere", "it broke")
    assert line["peer"] == "10.0.0.1"
    assert json.loads(file.read_text())["logger"] == "access"


def test_both_logs_may_share_a_file(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file, AccessOutput="file", AccessOutputFile=f"{file.parent}/../logs/node.log"))
    assert logs.access is not None
    for _ in range(1000):
        logs.access.record(*ROW)
        logging.getLogger("somewhere").warning("hello")
    lines = messages(logs, file)
    assert sorted(set(lines)) == ["WARN somewhere hello", "access trace=t request=r GET / 200 1us client="]
    assert len(lines) == 2000


def test_outputs_that_end_in_one_place_share_an_writer() -> None:
    program = (
        "import logging\n"
        "from runtime.config.schema import LogSettings\n"
        "from runtime.logs.setup import configure\n"
        "logs = configure(LogSettings(output='stderr'))\n"
        "for number in range(20000):\n"
        "    logs.access.record(0, 't', 'r', 'GET', '/', 200, 0)\n"
        "    if number % 10 == 0: logging.warning('hello')\n"
        "logs.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [line.split(" ", 1)[1] for line in done.stdout.splitlines()]
    assert sorted(set(lines)) == ["WARN root hello", "access trace=t request=r GET / 200 0us client="]
    assert len(lines) == 22000


def test_a_closed_stdout_is_named() -> None:
    program = (
        "import os\n"
        "from runtime.config.schema import LogSettings\n"
        "from runtime.logs.setup import configure\n"
        "os.close(1)\n"
        "try: configure(LogSettings())\n"
        "except ValueError as error: os.write(2, str(error).encode())\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "[Log] Output: stdout: Bad file descriptor"


def test_the_access_log_can_be_off(configured: Configure, file: Path) -> None:
    assert configured(**to_file(file)).access is None


@pytest.mark.parametrize("member", ["OutputFile", "AccessOutputFile"])
def test_a_file_that_cannot_be_opened_is_named_with_its_member(
    configured: Configure, tmp_path: Path, member: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        configured(**{member.removesuffix("File"): "file", member: str(tmp_path)})
    assert str(raised.value) == f"[Log] {member}: {tmp_path}: Is a directory"


def test_libraries_log_through_the_one_handler_whatever_they_set_up_before(
    configured: Configure, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = logging.getLogger("django.server")
    server.addHandler(logging.StreamHandler())
    server.propagate = False
    get_task_logger("loadstats.tasks").parent.addHandler(logging.StreamHandler())  # type: ignore[union-attr]
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    logs = configured(**to_file(file))
    server.info("served")
    logging.getLogger("uvicorn.error").info("started")
    get_task_logger("loadstats.tasks").warning("expired")
    assert messages(logs, file) == [
        "INFO django.server served",
        "INFO uvicorn.error started",
        "WARN loadstats.tasks expired",
    ]
    assert capfd.readouterr() == ("", "")


def test_setting_up_again_replaces_the_first_set_up(configured: Configure, file: Path) -> None:
    first = configured(**to_file(file))
    second = configured(**to_file(file.with_name("second.log")))
    logging.getLogger("somewhere").info("hello")
    first.close()
    assert file.read_text() == ""
    assert messages(second, file.with_name("second.log")) == ["INFO somewhere hello"]


def test_lost_lines_are_told_of_in_the_log_itself(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file, AccessOutput="stdout"))
    logging.getLogger("somewhere").info("x" * LIMIT)
    logging.getLogger("somewhere").info("next")
    assert messages(logs, file) == [
        "INFO somewhere next",
        "WARN runtime.logs.setup 1 lines were lost: the log's output stood still or failed",
    ]
    assert logs.dropped == 1


def test_a_bad_log_call_costs_only_its_own_line(
    configured: Configure, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = configured(**to_file(file))
    logging.getLogger("somewhere").info("%d engines", "three")
    logging.getLogger("somewhere").info("next")
    assert messages(logs, file) == ["INFO somewhere next"]
    assert "%d engines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [(1, "FATAL", 1), (2, "ERROR", 2), (3, "WARN", 3), (4, "INFO", 4), (5, "DEBUG", 5), (6, "TRACE", 6)],
)
def test_the_configured_level_decides_what_is_logged(
    configured: Configure, file: Path, number: int, name: str, shown: int
) -> None:
    logs = configured(**to_file(file, Level=number))
    assert logs.level == name
    for level in (50, 40, 30, 20, 10, 5):
        logging.getLogger("somewhere").log(level, "x")
    every = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
    assert [line.split()[0] for line in messages(logs, file)] == every[:shown]


def test_a_level_set_at_run_time_holds_at_once_for_every_logger(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file))
    own = logging.getLogger("library.with.its.own.level")
    own.setLevel(logging.ERROR)
    own.info("unseen")
    logs.set_level("DEBUG")
    own.debug("seen")
    logs.set_level("ERROR")
    own.warning("unseen")
    assert logs.level == "ERROR"
    assert messages(logs, file) == [
        "WARN runtime.logs.setup log level changed: INFO -> DEBUG",
        "DEBUG library.with.its.own.level seen",
        "WARN runtime.logs.setup log level changed: DEBUG -> ERROR",
    ]


def test_a_change_is_told_at_the_more_talkative_level(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file, Level=1))
    logs.set_level("WARN")
    logs.set_level("WARN")
    assert messages(logs, file) == ["WARN runtime.logs.setup log level changed: FATAL -> WARN"]


def test_access_lines_are_info(configured: Configure, file: Path) -> None:
    access = configured(**to_file(file, Level=3, AccessOutput="stdout")).access
    assert access is not None
    assert not access.enabled


def test_a_level_above_info_turns_the_access_log_off_and_back(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file, AccessOutput="stdout"))
    assert logs.access is not None
    for name, enabled in (("WARN", False), ("INFO", True), ("FATAL", False), ("TRACE", True)):
        logs.set_level(name)
        assert logs.access.enabled is enabled


@pytest.mark.parametrize("name", ["LOUD", "info", "Warn", "WARNING", "CRITICAL", "", "INFO ", "x\ny" * 100])
def test_it_rejects_a_level_that_the_contract_does_not_know(configured: Configure, file: Path, name: str) -> None:
    logs = configured(**to_file(file))
    with pytest.raises(UnknownLevel) as raised:
        logs.set_level(name)
    assert str(raised.value).startswith('LevelParam: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, got "')
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 200
    assert logs.level == "INFO"


def test_the_handler_sets_the_level(configured: Configure, file: Path) -> None:
    logs = configured(**to_file(file))
    (route,) = LogHandlers(logs).routes()
    assert (route.method, route.path) == ("POST", "/log/level")
    call = Call(b"", b'{"LevelParam":"DEBUG","other":1}', {})
    assert route.handler(call) == b'"log level updated successfully"'
    assert logs.level == "DEBUG"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"{}",
        b"[]",
        b'{"LevelParam":3}',
        b'{"LevelParam":null}',
        b'{"LevelParam":"LOUD"}',
        b'{"LevelParam":"\xff"}',
        b'{"LevelParam":"INFO","x":' + b"[" * 100_000,
    ],
)
def test_the_handler_refuses_other_bodies_and_names_the_member(configured: Configure, file: Path, body: bytes) -> None:
    logs = configured(**to_file(file))
    with pytest.raises(InvalidInput, match="LevelParam"):
        LogHandlers(logs).set_level(Call(b"", body, {}))
    assert logs.level == "INFO"


def test_a_process_that_ends_without_closing_still_writes_its_last_lines() -> None:
    program = (
        "import logging\n"
        "from runtime.config.schema import LogSettings\n"
        "from runtime.logs.setup import configure\n"
        "configure(LogSettings())\n"
        "for number in range(1000): logging.warning('%d', number)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == [str(number) for number in range(1000)]
    assert done.stderr == ""

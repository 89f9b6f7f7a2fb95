# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The words of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from metadata_center import __version__
from metadata_center.cli import main
from metadata_center.command_help import COMMANDS, django_commands, help_text
from metadata_center.command_line import (
    INTERRUPTIBLE,
    OWN_C,
    VERSION,
    WITHOUT_ACCOUNTS,
    CommandLine,
    take_config,
)
from metadata_center.program import program
from runtime.config import ConfigError
from tests.nodes import ROOT, inherited_environment

OURS = {"run", "run_cluster", "run_log", "config", "replay", "ensure_admin", "openapi"}
EVERY = sorted(get_commands())


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METADATA_CENTER_CONFIG", "before.toml")  # and back to what it was, at the end


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        ("run -c n.toml", "run"),
        ("run -cn.toml", "run"),
        ("run -c=n.toml", "run"),
        ("run --config n.toml", "run"),
        ("run --config=n.toml", "run"),
        ("-c n.toml run", "run"),
        ("--config=n.toml migrate --plan", "migrate --plan"),
        ("createsuperuser --noinput -c n.toml --username x", "createsuperuser --noinput --username x"),
        ("changepassword -c n.toml boss", "changepassword boss"),
        ("-c other.toml run -c n.toml", "run"),
        ("-c n.toml shell -c pass", "shell -c pass"),
        ("shell --config n.toml -c pass", "shell -c pass"),
        ("-c n.toml collectstatic -c", "collectstatic -c"),
        ("dumpdata -c n.toml shell", "dumpdata shell"),
    ],
)
def test_the_file_is_taken_from_the_words_of_every_command(words: str, rest: str) -> None:
    assert take_config(words.split()) == rest.split()
    assert os.environ["METADATA_CENTER_CONFIG"] == "n.toml"


@pytest.mark.parametrize(
    "words", ["run", "shell -c pass", "migrate -- -c n.toml", "replay --clusters 2", "check --tag c"]
)
def test_other_words_are_left(words: str) -> None:
    assert take_config(words.split()) == words.split()
    assert os.environ["METADATA_CENTER_CONFIG"] == "before.toml"


@pytest.mark.parametrize("words", ["run -c", "run --config", "run --config=", "-c"])
def test_a_missing_file_name_is_an_error(words: str) -> None:
    with pytest.raises(ConfigError, match="expected a file name"):
        take_config(words.split())
    assert os.environ["METADATA_CENTER_CONFIG"] == "before.toml"


@pytest.mark.parametrize("name", EVERY)
def test_every_command_takes_a_file_and_says_our_version(name: str) -> None:
    command = CommandLine(["metadata-center", name]).fetch_command(name)
    parser = command.create_parser("metadata-center", name)
    assert "--config FILE" in parser.format_help()
    assert ("-c FILE" in parser.format_help()) == (name not in OWN_C)
    assert command.get_version() == VERSION == f"metadata-center {__version__}"


def test_lists_of_commands_name_commands_that_are_there() -> None:
    assert set(EVERY) >= WITHOUT_ACCOUNTS | INTERRUPTIBLE | OWN_C | OURS
    # What makes or reads accounts may never be left out.
    assert not WITHOUT_ACCOUNTS & {"createsuperuser", "changepassword", "ensure_admin", "shell", "dumpdata", "loaddata"}


def test_help_lists_our_commands_first_and_all_of_them() -> None:
    own = [name for group in COMMANDS.values() for name in group]
    assert len(own) == len(set(own)) >= 12
    assert set(own) >= OURS
    assert set(own) | django_commands() == {*EVERY, "top"}
    text = help_text("metadata-center")
    ours, _, others = text.partition("Django's other commands:\n")
    listed = [line.split()[0] for line in ours.splitlines() if line.startswith("  ")]
    assert listed == own
    named = others.partition("\n\n")[0].replace("\n", " ").replace(",", " ").split()
    assert sorted([*named, *own]) == sorted([*EVERY, "top"])
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "said", "covered"),
    [
        (["--version"], f"metadata-center {__version__}\n", True),
        (["version"], f"metadata-center {__version__}\n", False),
        (["--help"], "usage: ", True),
        (["-h"], "usage: ", False),
        (["help"], "usage: ", False),
        ([], "usage: ", False),
        (["help", "config"], "-c FILE", True),
        (["config", "--help"], "-c FILE", True),
        (["config", "-h", "-c", "missing.toml"], "-c FILE", False),
    ],
)
def test_what_needs_no_settings_reads_none_and_makes_no_folder(
    tmp_path: Path, words: list[str], said: str, *, covered: bool
) -> None:
    """With a configuration that is wrong, in a process of its own: this one has its settings. Coverage sees one of each
    kind."""
    environ = inherited_environment(covered=covered)
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    environ["METADATA_CENTER_HTTP_PORT"] = "http"
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_config_refuses_words_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["config", "--nope"])
    assert ended.value.code == 2
    assert "--nope" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "arguments", "called"),
    [
        (["/v/bin/python", "/v/bin/metadata-center", "run"], ["/v/bin/metadata-center", "run"], "metadata-center"),
        (
            [".venv/bin/python", "manage.py", "run", "-c", "x"],
            ["manage.py", "run", "-c", "x"],
            ".venv/bin/python manage.py",
        ),
        (["python3", "-P", "-m", "metadata_center"], ["/x/__main__.py"], "python3 -P -m metadata_center"),
        (["./manage.py"], ["./manage.py"], "metadata-center"),
    ],
)
def test_a_program_is_named_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], arguments: list[str], called: str
) -> None:
    monkeypatch.setattr(sys, "orig_argv", typed)
    monkeypatch.setattr(sys, "argv", arguments)
    assert program() == called


def test_top_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "metadata_center_client.top.command", None)
    assert main(["top"]) == 1
    assert "needs the package metadata-center-client[top]" in capsys.readouterr().err


def test_top_gets_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("textual", reason="needs the client's extra top")
    with pytest.raises(SystemExit):
        main(["top", "--help"])
    assert "--cluster" in capsys.readouterr().out

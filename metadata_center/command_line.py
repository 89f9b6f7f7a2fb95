# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the words of the command line mean: our commands, and every command of Django's.

Django reads its settings, and with them the configuration, before a command sees its arguments. So `-c FILE` is taken
here and handed on in the environment. Runs on the main thread.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandParser

from metadata_center import __version__
from metadata_center.accounts.migration import bring_up_to_date, migrating
from metadata_center.command_help import help_text
from metadata_center.configuration import load_configuration
from metadata_center.interrupts import let_interrupts_raise
from metadata_center.management.commands.config import Command as ConfigCommand
from metadata_center.program import program
from runtime.config import ConfigError
from runtime.config.environment import CONFIG_FILE
from runtime.config.report import render

MISSING = 1  # exit code where a package is missing
VERSION = f"metadata-center {__version__}"
CONFIG_HELP = "the configuration: .toml, .yaml or .json [METADATA_CENTER_CONFIG]"

# Django's commands with a `-c` of their own. After their names it is theirs; `--config FILE` is ours everywhere.
OWN_C = frozenset({"collectstatic", "shell"})
# Commands that handle Ctrl-C themselves. It ends all others at once.
INTERRUPTIBLE = frozenset(
    {"changepassword", "createsuperuser", "dbshell", "replay", "runserver", "shell", "testserver"}
)
# Commands that do not use the accounts, or are about migrating them. `run` migrates when it has its folder.
WITHOUT_ACCOUNTS = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "config",
        "diffsettings",
        "findstatic",
        "generateschema",
        "makemessages",
        "makemigrations",
        "migrate",
        "openapi",
        "optimizemigration",
        "replay",
        "run",
        "run_cluster",
        "run_log",
        "runserver",
        "sendtestemail",
        "showmigrations",
        "sqlmigrate",
        "squashmigrations",
        "startapp",
        "startproject",
        "test",
        "testserver",
    }
)


def run_command(words: Sequence[str]) -> int:
    """Run one command. Returns the process's exit code. Raises ConfigError for a bad configuration."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "metadata_center.settings")
    # All but the last need no settings, and so no folder that can be written.
    match take_config(words):
        case [] | ["help"] | ["--help" | "-h"]:
            sys.stdout.write(help_text(program()))
        case ["version"] | ["--version"]:
            sys.stdout.write(f"{VERSION}\n")
        case ["help", "config"]:
            _config_parser().print_help()
        case ["config", *rest]:
            _config_parser().parse_args(rest)
            sys.stdout.write(render(load_configuration(os.environ.get(CONFIG_FILE), os.environ)) + "\n")
        case ["top", *rest]:
            return show_top(rest)
        case others:
            CommandLine([program(), *others]).execute()
    return 0


def show_top(words: Sequence[str]) -> int:
    """Show the live view, which is a part of the Python client. Returns the exit code."""
    try:
        from metadata_center_client.top.command import main  # noqa: PLC0415 only this command needs it
    except ImportError as missing:
        sys.stderr.write(f"{program()} top needs the package metadata-center-client[top]: {missing}\n")
        return MISSING
    return main(words, f"{program()} top")


def take_config(words: Sequence[str]) -> list[str]:
    """Return the words without `-c FILE`, which goes to the environment. Raises ConfigError if the file is missing."""
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            return [*rest, word, *remaining]
        name, equals, joined = word.partition("=")
        if name == "--config":
            value = joined if equals else next(remaining, "")
        elif word.startswith("-c") and not OWN_C.intersection(rest[:1]):
            value = word[2:].removeprefix("=") or next(remaining, "")
        else:
            rest.append(word)
            continue
        if not value:
            raise ConfigError(f"{word}: expected a file name")
        os.environ[CONFIG_FILE] = value
    return rest


class CommandLine(ManagementUtility):
    """Django's command line, with what every command has here: `-c`, our version, and accounts that are up to date."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Return the command. Ends the process if there is none of that name."""
        command = super().fetch_command(subcommand)
        create_parser, execute = command.create_parser, command.execute

        def with_config(prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
            parser = create_parser(prog_name, subcommand, **kwargs)
            flags = ["--config"] if subcommand in OWN_C else ["-c", "--config"]
            parser.add_argument(*flags, metavar="FILE", help=CONFIG_HELP)
            return parser

        def prepared(*args: Any, **options: Any) -> str | None:
            folder = settings.DATA_FOLDER
            if subcommand not in WITHOUT_ACCOUNTS:
                bring_up_to_date(folder)
            if subcommand in INTERRUPTIBLE:
                let_interrupts_raise()
            with migrating(folder) if subcommand == "migrate" else nullcontext():
                return execute(*args, **options)

        # On the instance: most of these classes are Django's.
        command.create_parser = with_config  # type: ignore[method-assign]
        command.execute = prepared  # type: ignore[method-assign]
        command.get_version = lambda: VERSION  # type: ignore[method-assign]
        return command


def _config_parser() -> ArgumentParser:
    parser = ArgumentParser(prog=f"{program()} config", description=ConfigCommand.help)
    parser.add_argument("-c", "--config", metavar="FILE", help=CONFIG_HELP)
    return parser

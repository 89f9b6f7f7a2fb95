# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line: `metadata-center run -c FILE`, `config`, and every Django command.

Django reads its settings, and with them the configuration, before a command sees its arguments. So `-c` is taken here
and handed on in the environment, and a bad configuration ends here: one line, exit code 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from metadata_center.configuration import load_configuration
from runtime.config import ConfigError
from runtime.config.report import render

CONFIG_VARIABLE = "METADATA_CENTER_CONFIG"
USAGE = 2  # exit code for what the caller got wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "metadata_center.settings")
    try:
        if command in {"run", "run_cluster", "config"}:
            words = _take_config(words)
        if command == "config":
            sys.stdout.write(render(load_configuration(os.environ.get(CONFIG_VARIABLE), os.environ)))
            return 0
        from django.core.management import execute_from_command_line  # noqa: PLC0415 it reads the settings

        execute_from_command_line(["metadata-center", *words])
    except ConfigError as error:
        sys.stderr.write(f"metadata-center: {error}\n")
        return USAGE
    return 0


def _take_config(words: list[str]) -> list[str]:
    """Return the words without `-c FILE`, which goes to the environment."""
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.partition("=")
        if word in {"-c", "--config"}:
            value = next(remaining, "")
        elif name != "--config" or not equals:
            rest.append(word)
            continue
        if not value:
            raise ConfigError(f"{word}: expected a file name")
        os.environ[CONFIG_VARIABLE] = value
    return rest

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The process of the command line: its beginning and its exit code.

Imports next to nothing: until `start` has begun, Ctrl-C ends Python with a traceback. What the words mean is in
`command_line`.
"""

from __future__ import annotations

import gc
import sys

from metadata_center.interrupts import let_interrupts_end_the_process

USAGE = 2  # exit code for what the caller got wrong
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
# New objects between two collections, until a node has started and sets its own. Nearly all that a start makes stays:
# to look for garbage after each 700, as Python does, took a fifth of its CPU, and after each 10,000 a tenth.
YOUNG_AT_START = 100_000


def start() -> int:
    """Run the command in `sys.argv` as this process. Returns its exit code."""
    let_interrupts_end_the_process()
    gc.set_threshold(YOUNG_AT_START)
    try:
        return main()
    finally:
        # As it ends, Python looks for garbage in all that is left: a quarter of what a start takes, to free what the
        # kernel frees by itself.
        gc.freeze()


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the process's exit code."""
    from metadata_center.command_line import run_command  # noqa: PLC0415 it imports the rest
    from runtime.config import ConfigError  # noqa: PLC0415

    try:
        return run_command(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        sys.stderr.write(f"metadata-center: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED

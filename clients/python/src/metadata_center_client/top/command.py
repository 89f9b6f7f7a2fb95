# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `top`: its words and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from metadata_center_client.top.app import TopApp
from metadata_center_client.top.picture import PictureReader

URL = "http://127.0.0.1:8080"
KEY = "METADATA_CENTER_KEY"  # in the environment: words of a command can be read by others
ENDED = 128 + signal.SIGTERM  # the exit code, as a shell has it


def every(text: str) -> float:
    """Return seconds between two pictures. Raises ArgumentTypeError for less than 0.1."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ArgumentTypeError(f"expected seconds from 0.1 to 3600, got {text!r}")
    return seconds


def address(text: str) -> str:
    """Return a node's URL. Raises ArgumentTypeError for text that is none."""
    url = text if "://" in text else f"http://{text}"
    if not url.startswith(("http://", "https://")):
        raise ArgumentTypeError(f"expected a URL such as {URL}, got {text!r}")
    return url.rstrip("/")


def parser(program: str) -> ArgumentParser:
    """Return the parser of the command's words."""
    found = ArgumentParser(
        prog=program,
        description="Show clusters, engines, gateways and peers as they change. Press ? there for the keys.",
        epilog=f"If the nodes ask for a key, put it into the environment as {KEY}.",
    )
    found.add_argument("nodes", nargs="*", type=address, default=[URL], help=f"nodes; the first that answers [{URL}]")
    found.add_argument("--cluster", default="", help="open this cluster at once")
    found.add_argument("--every", type=every, default=1.0, metavar="SECONDS", help="between two pictures [1]")
    return found


def main(words: Sequence[str] | None = None, program: str = "metadata-center-top") -> int:
    """Show the view until it is quit. Returns the exit code."""
    options = parser(program).parse_args(words)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on stderr
        sys.stderr.write(f"{program}: expected a terminal\n")
        return 2
    reader = PictureReader(options.nodes, key=os.environ.get(KEY))
    return asyncio.run(show(TopApp(reader, every_seconds=options.every, cluster=options.cluster)))


async def show(app: TopApp, **options: Any) -> int:
    """Run a view until it is quit, or the process is told to end. Returns the exit code.

    The terminal is left as it was.
    """
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: app.exit(return_code=ENDED))
    await app.run_async(**options)
    return app.return_code or 0


def start() -> None:
    """Run the command as this process."""
    sys.exit(main())


if __name__ == "__main__":
    start()

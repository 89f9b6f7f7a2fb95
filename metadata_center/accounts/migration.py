# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The accounts' database is brought up to date by whoever opens it, so that no step can be forgotten.

Runs on the main thread of a command or of a node with SQLite, and on the keeper's of a node with PostgreSQL. Whoever
comes first migrates, under a lock: the kernel's for SQLite's folder, an advisory one in PostgreSQL, which ends with its
connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from django.core.management import call_command
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from runtime.config import ConfigError
from runtime.data_folder import DataFolder

# Any number, the same in each release. Others who use the same database may have locks of their own.
LOCK = 0x6D657461_63656E74
WAIT_SECONDS = 60.0
RETRY_SECONDS = 0.05


@contextmanager
def migrating(folder: DataFolder) -> Iterator[None]:
    """Keep other processes from migrating the same database. Waits for one that does so.

    Raises ConfigError after a minute.
    """
    if connection.vendor != "postgresql":
        with folder.alone_at("migration"):
            yield
        return
    ends = monotonic() + WAIT_SECONDS
    while not _asked("pg_try_advisory_lock"):
        if monotonic() >= ends:
            raise ConfigError(
                f"[Web] Database: waited {WAIT_SECONDS:g} s for another process to end its migration; is it stuck?"
            )
        sleep(RETRY_SECONDS)
    try:
        yield
    finally:
        if connection.connection is not None:
            _asked("pg_advisory_unlock")


def bring_up_to_date(folder: DataFolder) -> None:
    """Migrate the database if it needs it. Measured with SQLite: 30 ms if not, 0.6 s for a new one.

    Raises ConfigError if the database can't be opened or changed.
    """
    try:
        with migrating(folder):
            migrate_if_needed()
    except Error as error:
        if connection.vendor != "postgresql":
            raise folder.problem(f"cannot open people's accounts in {folder.path}: {error}") from error
        line = str(error).strip().partition("\n")[0]
        raise ConfigError(f"[Web] Database: cannot open people's accounts: {line}") from error
    finally:
        connection.close()


def migrate_if_needed() -> None:
    """Migrate the database if it needs it. The caller holds the lock."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def _asked(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])
        (done,) = cursor.fetchone()
        return bool(done)

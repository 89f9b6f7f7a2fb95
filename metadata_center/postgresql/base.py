# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's name for a backend is the package of this module. One `DatabaseWrapper` for each thread, owned by it.

In a running node pages ask the gate first, and every wait has an end. In commands neither is so: a person waits there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django_prometheus.db.backends.postgresql import base as counted
from psycopg import Error, IsolationLevel
from psycopg.errors import ConnectionTimeout

from metadata_center.postgresql.connection import BoundedConnection
from metadata_center.postgresql.failure import in_words
from metadata_center.postgresql.gate import DatabaseGate
from metadata_center.postgresql.patience import STATEMENT_SECONDS, Patience
from runtime.running import optional_part


class DatabaseAway(OperationalError):
    """The node knows that the database does not answer. Nothing was sent."""


class BoundedWrapper(base.DatabaseWrapper):
    """Connects with our class, and is turned away by the gate."""

    health_check_done: bool  # Django's

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = Patience(monotonic)
        self._own_seconds: float | None = None
        self._checking = False

    def begin_page(self) -> None:
        """Begin to count what a page waits for the database."""
        self._patience.begin_page()

    def end_page(self) -> None:
        """Count no longer."""
        self._patience.end_page()

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Wait so long for each statement, as long work needs it. The connection before and after is another one."""
        self.close()
        self._own_seconds = seconds
        try:
            yield
        finally:
            self._own_seconds = None
            self.close()

    def get_new_connection(self, conn_params: dict[str, Any]) -> BoundedConnection:
        """Connect. psycopg bounds the time by `connect_timeout`."""
        self.isolation_level = IsolationLevel.READ_COMMITTED
        try:
            connection = BoundedConnection.connect(**conn_params)
        except Error as error:
            self._failed(error)
            raise
        bound = STATEMENT_SECONDS if optional_part(DatabaseGate) is not None else None
        self._patience.statement_seconds = self._own_seconds or bound
        connection.patience = self._patience
        connection.on_failure = self._failed
        return connection

    def init_connection_state(self) -> None:
        """Have the server, too, end what takes too long: it would go on after we have left."""
        super().init_connection_state()
        seconds = self._patience.statement_seconds
        if seconds is not None:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = {int(seconds * 1000)}")
            if not self.get_autocommit():
                self.connection.commit()

    def ensure_connection(self) -> None:
        """Connect if there is no connection. Raises DatabaseAway if the gate is closed."""
        if self.connection is None:
            self._pass_gate()
        super().ensure_connection()

    def close_if_health_check_failed(self) -> None:
        """Check the connection at its first use in a page. Raises DatabaseAway if the gate is closed then.

        A page that has begun to use the database goes on: the gate may close and open again meanwhile.
        """
        if self.connection is not None and not self.health_check_done:
            self._pass_gate()
        super().close_if_health_check_failed()

    def is_usable(self) -> bool:
        """Return whether the connection still works. One that ended while unused says nothing of the server."""
        self._checking = True
        try:
            return bool(super().is_usable())
        finally:
            self._checking = False

    def _pass_gate(self) -> None:
        gate = optional_part(DatabaseGate)
        if gate is not None and not gate.admits():
            raise DatabaseAway(f"the accounts' database is away: {gate.reason}")

    def _failed(self, error: Error) -> None:
        gate = optional_part(DatabaseGate)
        if gate is not None and not (self._checking and not isinstance(error, ConnectionTimeout)):
            gate.report(in_words(error))


class DatabaseWrapper(counted.DatabaseWrapper, BoundedWrapper):  # type: ignore[misc] # untyped
    """The same with django-prometheus's counts around it."""

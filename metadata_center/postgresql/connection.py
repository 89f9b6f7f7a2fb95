# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A connection to PostgreSQL whose every wait has an end. Owned by the thread that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import Connection, Error, InterfaceError, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.errors import ConnectionTimeout

from metadata_center.postgresql.patience import Patience

INTERVAL_SECONDS = 0.1  # psycopg's own, for Ctrl-C


class BoundedConnection(Connection[Any]):
    """Ends itself when the server does not answer in time: what a hung server would still say is of no use.

    `patience`: for how long to wait; None: without an end.
    `on_failure`: is called with each error that says that the server does not work.
    """

    patience: Patience | None = None
    on_failure: Callable[[Error], None] | None = None

    def wait(self, gen: PQGen[RV], interval: float = INTERVAL_SECONDS, timeout: float | None = None) -> RV:
        """Wait for the server. Raises OperationalError in time. psycopg waits nowhere else once it is connected."""
        left = self.patience.left() if self.patience is not None else None
        bounded = left is not None and (timeout is None or left < timeout)
        try:
            return super().wait(gen, interval, left if bounded else timeout)
        except (OperationalError, InterfaceError) as error:
            # psycopg's own class for this is not public: the server has said nothing, so there is no SQLSTATE.
            if bounded and not self.closed and error.sqlstate is None:
                self.close()
                error = ConnectionTimeout("the server does not answer")
            if self.on_failure is not None:
                self.on_failure(error)
            raise error from None

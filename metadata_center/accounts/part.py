# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's accounts, as a part: a line of `/readyz` and a thread, with PostgreSQL; old sessions, removed.

What a session has opened ends with it. The state is the gate's, the keeper's and the watch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.signals import request_finished, request_started
from django.db import connection

from edge.lasting import Lasting
from edge.part import AppPart, HealthCheck, LoopPart
from metadata_center.accounts.keeper import DatabaseKeeper
from metadata_center.accounts.migration import WAIT_SECONDS, bring_up_to_date
from metadata_center.accounts.open_sessions import ended_sessions
from metadata_center.accounts.session_watch import SessionWatch
from metadata_center.accounts.signing_key import DIFFERS, agree_on_key, differs
from metadata_center.postgresql.gate import DatabaseGate
from runtime.config import Config
from runtime.data_folder import DataFolder
from runtime.periodic import PeriodicTask

if TYPE_CHECKING:  # it needs psycopg, which SQLite's users may lack
    from metadata_center.postgresql.base import BoundedWrapper

# A start waits so long to see whether the database is there. With one that hangs it goes on without.
START_SECONDS = 5.0
SWEEP_SECONDS = 3600.0


class Accounts(AppPart):
    """The accounts of people.

    `gate`: whether their database answers. Without PostgreSQL it is not asked.
    """

    def __init__(self, config: Config, folder: DataFolder, lasting: Lasting) -> None:
        self.gate = DatabaseGate()
        self._shared = bool(config.web.database)
        self._configured_key = config.web.secret_key
        self._folder = folder
        self._keeper = DatabaseKeeper(self.gate, self._prepare, self._look)
        self._sessions = SessionWatch(lasting, ended_sessions)

    def checks(self) -> Iterable[HealthCheck]:
        """Return the line `accounts`. The node counts load without them."""
        return [HealthCheck("accounts", False, self.gate.probe)] if self._shared else []

    def loop_parts(self) -> Iterable[LoopPart]:
        """Return what ends sockets and calls with the session that began them."""
        return [self._sessions]

    def periodic(self) -> Iterable[PeriodicTask]:
        """Return the task that removes what has expired."""
        return [PeriodicTask("accounts.sweep", "metadata_center.clear_sessions", SWEEP_SECONDS)]

    def start(self) -> None:
        """Begin to look after the database, and wait for a moment whether it is there."""
        if self._shared:
            request_started.connect(self._begin_page)
            request_finished.connect(self._end_page)
            self._keeper.start()
            self.gate.wait_until_known(START_SECONDS)

    def stop(self) -> None:
        """End the threads."""
        self._sessions.close()
        if self._shared:
            self._keeper.stop()
            request_started.disconnect(self._begin_page)
            request_finished.disconnect(self._end_page)

    def _prepare(self) -> None:
        with _wrapper().patient(WAIT_SECONDS):
            bring_up_to_date(self._folder)
            agree_on_key(self._configured_key)

    def _look(self) -> str:
        _wrapper().close_if_unusable_or_obsolete()
        User.objects.exists()
        Session.objects.exists()
        return DIFFERS if differs() else ""

    def _begin_page(self, **_: Any) -> None:
        _wrapper().begin_page()

    def _end_page(self, **_: Any) -> None:
        _wrapper().end_page()


def _wrapper() -> BoundedWrapper:
    """Return this thread's wrapper of the database."""
    return cast("BoundedWrapper", connection)

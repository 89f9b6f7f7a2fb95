# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys as a part of a node: what holds now, from both sources, and what ends when a key does.

Built, started and stopped on the main thread. Each source is watched by a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.registry import Collector

from access.database_source import DatabaseSource
from access.file_source import FileSource
from access.grant import Grant
from access.key_ring import KeyChanges, KeyRing
from access.keys_file import parse, read
from access.metrics import KeysCollector
from access.revocations import Revocations
from access.source import SourceWatch
from edge.audit import Audit
from edge.lasting import Lasting
from edge.part import AppPart, HealthCheck, LoopPart
from runtime.config import Config
from runtime.health import PartState

FILE_CHANGED = "keys of the file changed"  # in the audit trail
FIRST_LOOK_SECONDS = 3.0  # a start waits this long for the keys of a database that does not answer


class Access(AppPart):
    """The keys that this node takes.

    `ring`: looks them up.

    `lasting`: the sockets and the calls that wait.
    `audit`: the trail, for changes of the file. Changes of the database are recorded where they are made.
    """

    def __init__(self, config: Config, lasting: Lasting, audit: Audit | None = None) -> None:
        """Raises ConfigError for a file that can't be used: a node must not start without the keys it was given."""
        path = config.auth.keys_file
        if path:
            parse(path, read(path))
        self.ring = KeyRing()
        self._path = path
        self._audit = audit
        self._watches: dict[str, SourceWatch] = {}
        if path:  # first: of two keys of one name the file's holds
            watch = SourceWatch(FileSource(path), self.ring, on_changes=self._write_down)
            self._watches[FileSource.name] = watch
        self._watches[DatabaseSource.name] = SourceWatch(DatabaseSource(), self.ring)
        self._revocations = Revocations(self.ring, lasting)

    def look_soon(self) -> None:
        """Take a change of the keys that was made here at once. Any thread may call."""
        for watch in self._watches.values():
            watch.look_soon()

    def keys_of_the_file(self) -> list[Grant]:
        """Return the keys of `[Auth] KeysFile` that are known now."""
        return self.ring.grants(FileSource.name)

    def collectors(self) -> Iterable[Collector]:
        return [KeysCollector(self.ring, self._watches, self._revocations)]

    def loop_parts(self) -> Iterable[LoopPart]:
        return [self._revocations]

    def checks(self) -> Iterable[HealthCheck]:
        return [HealthCheck("keys", False, self._state)]

    def start(self) -> None:
        for watch in self._watches.values():
            watch.start(FIRST_LOOK_SECONDS)

    def stop(self) -> None:
        for watch in self._watches.values():
            watch.stop()

    def _write_down(self, changes: KeyChanges) -> None:
        """Write a change of the file to the audit trail, by the names of its keys. Called on the file's thread."""
        if self._audit is not None:
            found = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
            what = {act: names for act, names in found.items() if names}
            self._audit.record(FILE_CHANGED, f"file {self._path}", "", what)

    def _state(self) -> tuple[PartState, str]:
        states = [watch.state() for watch in self._watches.values()]
        texts = [text for _, text in states]
        well = all(state is PartState.OK for state, _ in states)
        if hidden := self.ring.hidden():
            well = False
            texts.append(f"two keys have the name or the digest of {', '.join(sorted(hidden)[:5])}: one of each holds")
        return PartState.OK if well else PartState.DEGRADED, "; ".join(texts)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's own snapshot, for the part of replication: what is restored at the start, and kept from then on.

Restored on the main thread, kept on the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from replication.history import SharedHistory
from replication.journal import Journal
from replication.replica import Replica
from replication.snapshot.files import SnapshotFiles
from replication.snapshot.keeper import SnapshotKeeper
from replication.snapshot.kept_notices import kept_notices
from replication.snapshot.metrics import SnapshotCollector
from replication.snapshot.restorer import Restorer
from replication.snapshot.restoring import Restored
from runtime.health import PartState, rfc3339
from runtime.notices.kind import Kind, Severity
from runtime.notices.log import NoticeLog

logger = logging.getLogger("replication.snapshot")


class OwnSnapshot:
    """The snapshot of one node.

    `restored`: what the node began with; None if it began with nothing.
    `nodes`: which other nodes the former life knew of, as `keep_nodes` was given them; empty if it knew none.
    `collector`: reports to Prometheus.

    `folder`: the node's. `most_seconds`: for how long a snapshot matters. `forget` empties what was merged by half.
    `handed_on` returns whether all peers have what the node took. `history`: the history of load, kept with it.
    `notices`: the node's, kept with it.
    """

    def __init__(
        self,
        replica: Replica,
        journal: Journal,
        folder: Path,
        *,
        alone: bool,
        most_seconds: float,
        forget: Callable[[], None],
        handed_on: Callable[[], bool] = lambda: False,
        history: SharedHistory | None = None,
        notices: NoticeLog | None = None,
    ) -> None:
        self._notices = notices = NoticeLog(journal.origin.name, "") if notices is None else notices
        self._journal = journal
        self._files = SnapshotFiles(folder)
        history = SharedHistory() if history is None else history
        self._keeper = SnapshotKeeper(
            replica,
            journal,
            self._files,
            alone=alone,
            handed_on=handed_on,
            history=history.pages,
            notices=partial(kept_notices, notices),
        )
        self._restorer = Restorer(
            replica, self._files, most_seconds=most_seconds, forget=forget, history=history.take, notices=notices
        )
        self._unusable = ""
        self.restored: Restored | None = None
        self.nodes = b""
        self.collector = SnapshotCollector(self._keeper)

    def restore(self) -> Restored | None:
        """Restore the node. A folder that cannot be used is left as it is, and nothing is kept in it."""
        try:
            if self._files.claim():
                self.restored = self._restorer.restore()
                self._files.measure()
                if self.restored is not None:
                    self.nodes = self._files.nodes()
                if self.restored is not None and not self.restored.handed_on:
                    self._journal.begin_behind_gap()
            else:
                self._unusable = f"{self._files.path} is in use by another process"
        except OSError as error:
            self._unusable = f"nothing can be kept in {self._files.path}: {error.strerror or error}"
        if self._unusable:
            logger.error("%s: this node will not survive its end", self._unusable)
        if (restored := self.restored) is not None:
            ended = f"Restored from {rfc3339(restored.ended_ns / 1e9)}"
            if restored.clean:
                self._notices.report(Kind.NODE_RESTORED, f"{ended}, when the node stopped")
            else:
                text = f"{ended}: the life before ended without a stop, as after a kill or a crash"
                self._notices.report(Kind.NODE_RESTORED, text, severity=Severity.WARNING)
        return self.restored

    def state(self) -> tuple[PartState, str]:
        """Return how it is, as a probe for `Health`: from when what was restored is, and when it was last written."""
        if self._unusable:
            return PartState.DEGRADED, self._unusable
        state, detail = self._keeper.state()
        restored = self.restored
        if restored is not None:
            how = "" if restored.clean else ", which ended without a stop"
            detail = "; ".join(filter(None, [f"restored from {rfc3339(restored.ended_ns / 1e9)}{how}", detail]))
        return state, detail

    # On the loop

    def start(self) -> None:
        """Begin to keep it."""
        if not self._unusable:
            self._keeper.start()

    def keep_nodes(self, body: bytes) -> None:
        """Keep which other nodes there are, for the next life. A disk that takes nothing keeps what it had."""
        if not self._unusable:
            self._keeper.keep_nodes(body)

    def flush(self) -> None:
        """Begin to write what is not written yet."""
        self._keeper.flush()

    def flushed(self) -> bool:
        """Return whether that is done, as far as it can be."""
        return bool(self._unusable) or self._keeper.flushed()

    async def stop(self) -> None:
        """End, with all that was taken on the disk."""
        if not self._unusable:
            await self._keeper.stop()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads what the node's former life left, when the node starts. On the main thread, before the event loop runs.

What cannot be used is set aside and said, and the node begins with nothing: it is cold. An address or port that
changed matters nothing: the volume is the node.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic, time_ns

from replication.replica import Replica
from replication.snapshot.contents import FutureFormat
from replication.snapshot.files import SnapshotFiles
from replication.snapshot.kept_notices import take_kept
from replication.snapshot.moment import Moment
from replication.snapshot.restoring import Restored, Restoring, UnusableSnapshot
from runtime.health import rfc3339
from runtime.notices.kind import Kind
from runtime.notices.log import NoticeLog

logger = logging.getLogger("replication.snapshot")


class Restorer:
    """Restores a node from its files.

    `most_seconds`: the longest pause after which they matter. `forget` empties the ledger.
    `history` takes a page of the history of load, and how many milliseconds ago it was written. `notices` gets what of
    it was kept, and is reported to.
    """

    def __init__(
        self,
        replica: Replica,
        files: SnapshotFiles,
        *,
        most_seconds: float,
        forget: Callable[[], None],
        history: Callable[[bytes, int], None] = lambda page, older_ms: None,
        notices: NoticeLog,
    ) -> None:
        self._replica = replica
        self._files = files
        self._most_seconds = most_seconds
        self._forget = forget
        self._history = history
        self._notices = notices

    def restore(self) -> Restored | None:
        """Merge what is there. Returns None if that is nothing. Raises OSError if what is unusable cannot be set aside:
        then it must not be written over."""
        began = monotonic()
        try:
            restored = self._restore()
        except Exception as error:  # whatever is wrong with the files must not keep the node from starting
            self._forget()
            self._replica.forget()
            aside = self._files.set_aside()
            fault = None if isinstance(error, (UnusableSnapshot, FutureFormat, OSError)) else error
            logger.warning(
                "not restored, the node begins with nothing: %s; set aside in %s", error, aside, exc_info=fault
            )
            text = f"Not restored, the node begins with nothing: {error}; the snapshot is set aside in {aside}"
            self._notices.report(Kind.SNAPSHOT_SET_ASIDE, text)
            return None
        if restored is not None:
            logger.info(
                "restored %d items and %d events from %s (%s, the node was away for %.1f s) in %.2f s",
                restored.items,
                restored.events,
                rfc3339(restored.ended_ns / 1e9),
                "stopped" if restored.clean else "ended without a stop",
                restored.pause_seconds,
                monotonic() - began,
            )
        return restored

    def _restore(self) -> Restored | None:
        with self._files.opened() as (snapshot, tails):
            if snapshot is None and not tails:
                return None
            if snapshot is None and self._files.tails()[0] != 1:
                raise UnusableSnapshot("the snapshot before the tails is missing")
            restoring = Restoring(
                snapshot,
                tails,
                at=Moment.now(),
                now=monotonic(),
                most_seconds=self._most_seconds,
                history=self._history,
            )
            restoring.survey()
            restored = restoring.merge(self._replica, time_ns())
            take_kept(self._notices, *restoring.notices())
            for tail in tails:
                if tail.torn_at is not None:
                    logger.info("a tail is torn at byte %d, as after a kill: it counts up to there", tail.torn_at)
            return restored

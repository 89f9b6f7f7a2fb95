# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The log of notices as a part: its call, its metrics, and the sources that the node watches.

Built, started and stopped on the main thread. It starts last, so that its first notice says that the node has started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.registry import Collector

from edge.call import Route
from edge.part import AppPart, LoopPart
from edge.quotas import CAPS, Quotas
from loadstats.ledger import Ledger
from metadata_center import __version__
from metadata_center.notices.handlers import NoticeHandlers
from metadata_center.notices.metrics import NoticeCollector
from metadata_center.notices.sources import ColdSource, GatewaySource, PartSource, TaskSource
from metadata_center.notices.watch import NoticeWatch
from runtime.cold_start import ColdStart
from runtime.health import Health
from runtime.notices.kind import Kind
from runtime.notices.log import NoticeLog
from runtime.periodic import TaskRun


class Notices(AppPart):
    """The notices of one node.

    `runs`: returns the runs of Celery's tasks.
    `quotas`: reports clients that it refused.
    """

    def __init__(
        self,
        log: NoticeLog,
        *,
        health: Health,
        cold: ColdStart,
        ledger: Ledger,
        quotas: Quotas,
        runs: Callable[[], Mapping[str, TaskRun]],
    ) -> None:
        self._log = log
        self._watch = NoticeWatch(
            [
                PartSource(log, health.report),
                ColdSource(log, cold.seconds),
                TaskSource(log, runs),
                GatewaySource(log, ledger.requests.turned_owners),
            ]
        )
        quotas.on_refused = self._refused

    def routes(self) -> Iterable[Route]:
        return NoticeHandlers(self._log).routes()

    def collectors(self) -> Iterable[Collector]:
        return [NoticeCollector(self._log)]

    def loop_parts(self) -> Iterable[LoopPart]:
        return [self._watch]

    def start(self) -> None:
        """Report that the node has started."""
        self._log.report(Kind.NODE_STARTED, f"Node {self._log.node} started, version {__version__}")

    def drain(self) -> None:
        """Report that the node stops."""
        self._log.report(Kind.NODE_STOPPED, f"Node {self._log.node} stops: it was asked to")

    def _refused(self, kind: str, client: str, reason: str) -> None:
        """Report that a client was refused. Its name is for operators: `GET /v1/node/clients` has it, and the log."""
        if kind == CAPS:
            self._log.report(Kind.CAP_REACHED, f"A call was refused: {reason}", item=reason.partition(":")[0])
        else:
            text = f"A client reached its quota of {kind}: GET /v1/node/clients names the largest clients"
            self._log.report(Kind.QUOTA_REACHED, text, item=kind)

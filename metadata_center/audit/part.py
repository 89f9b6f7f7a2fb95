# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail as a part: it starts first and stops last, so that what the other parts do is written down.

Built and started on the main thread. `Audit` and `AuditWriter` say who owns what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.registry import Collector

from edge.audit import Audit, AuditSink
from edge.part import AppPart
from metadata_center import __version__
from metadata_center.audit.metrics import AuditCollector
from metadata_center.audit.store import AuditStore
from metadata_center.audit.writer import AuditWriter
from runtime.config import Config
from runtime.config.report import differences


class AuditTrail(AppPart):
    """The trail of one node.

    `audit`: takes the lines.

    `before`: returns the sink that gets each line first, and passes it on to the one that is given.
    """

    def __init__(self, config: Config, node: str, before: Callable[[AuditSink], AuditSink] = lambda sink: sink) -> None:
        self._config = config
        self._node = node
        self._writer = AuditWriter(AuditStore(node, config.audit.max_entries, config.audit.max_age_seconds))
        self.audit = Audit(before(self._writer))

    def collectors(self) -> Iterable[Collector]:
        return [AuditCollector(self.audit, self._writer)]

    def start(self) -> None:
        """Begin to write; the first line says with which settings the node runs."""
        self._writer.start()
        settings = differences(self._config, Config())
        self.audit.record("node started", f"node {self._node}", "", {"version": __version__, "settings": settings})

    def stop(self) -> None:
        self._writer.stop()

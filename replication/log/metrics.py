# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the log reports to Prometheus. Read on the scraping thread. A node without a log reports the families alone."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from replication.log.part import SharedLog

GAUGES = {
    "up": "1 while the log server does what it is asked.",
    "lag_seconds": "How long the oldest event waits to be appended, or the last entry had waited to be read.",
    "snapshot_age_seconds": "Age of the latest snapshot in the log, by this node's clock.",
    "diverged_nodes": "Nodes whose digests were not this node's at the last look. Events under way make some differ.",
    "bytes": "Memory that the log server uses.",
    "present_nodes": "Other nodes that announce themselves.",
}
COUNTERS = {
    "trimmed_past": "Times that entries were dropped which this node had not read.",
    "lost": "Times that another generation of the log began.",
    "snapshots": "Snapshots that this node has written into the log.",
    "repaired_records": "Records that other nodes' buckets changed here.",
    "passed_entries": "Entries that could not be read or taken.",
}


class LogCollector(Collector):
    """`log` is None for a node without one."""

    def __init__(self, log: SharedLog | None) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        gauges = {name: GaugeMetricFamily(f"metadata_center_log_{name}", text) for name, text in GAUGES.items()}
        counters = {name: CounterMetricFamily(f"metadata_center_log_{name}", text) for name, text in COUNTERS.items()}
        entries = CounterMetricFamily(
            "metadata_center_log_entries", "Entries that this node has appended and read.", labels=["direction"]
        )
        if self._log is not None:
            values = _values(self._log)
            for name, family in gauges.items():
                if name in values:
                    family.add_metric([], values[name])
            for name, counter in counters.items():
                counter.add_metric([], values[name])
            entries.add_metric(["appended"], self._log.member.writer.appended_entries)
            entries.add_metric(["read"], self._log.member.reader.read_entries)
        yield from (*gauges.values(), *counters.values(), entries)


def _values(log: SharedLog) -> dict[str, float]:
    member, facts = log.member, log.facts
    age = member.status.snapshot_age()
    found = {
        "up": float(member.status.up.is_set()),
        "lag_seconds": max(member.writer.lag_seconds(), member.reader.lag_seconds),
        "diverged_nodes": member.repairs.differing,
        "present_nodes": len(member.roster.present()),
        "trimmed_past": member.trimmed_past,
        "lost": member.status.lost,
        "snapshots": member.snapshots.written,
        "repaired_records": member.repairs.repaired,
        "passed_entries": member.reader.passed_entries,
    }
    if age >= 0:
        found["snapshot_age_seconds"] = age
    if facts is not None:
        found["bytes"] = facts.used_bytes
    return found

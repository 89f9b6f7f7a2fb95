# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Run as a program: adds a sixth signal to `signals.py` in memory, and prints as JSON where its name shows up.

A process of its own, because rows and sums are built from the table when they are imported.
"""

# ruff: noqa: PLC0415 the product is imported once the finder is in place and Django is set up

from __future__ import annotations

import json
import sys
from importlib.abc import Loader
from importlib.machinery import PathFinder, SourceFileLoader
from typing import Any

MODULE = "loadstats.ledger.signals"
NAME = "long_req_num"
BEFORE_COUNT = "\n\ndef count("
AFTER_PRESENT = "load.orphaned_req_num != 0"
BEFORE_LEAVE = "\n\ndef leave_prefill("
ATTRIBUTE = f"""
    {NAME}: Annotated[
        int,
        Signal(
            of=lambda record: int(record.prompt_length > 100),
            description="requests with a long prompt",
            metric=SignalMetric("long_requests", "Requests with a long prompt."),
            heading="Long prompts",
        ),
    ] = 0
"""
COUNTED = f"""
    if record.prompt_length > 100:
        load.{NAME} += sign
"""


class SixthSignal(SourceFileLoader):
    """Loads `signals.py` with one more signal."""

    def get_data(self, path: str) -> bytes:
        text = super().get_data(path).decode()
        for place, addition in ((BEFORE_COUNT, ATTRIBUTE), (BEFORE_LEAVE, COUNTED)):
            assert text.count(place) == 1
            text = text.replace(place, addition + place)
        assert text.count(AFTER_PRESENT) == 1
        text = text.replace(AFTER_PRESENT, f"{AFTER_PRESENT}, load.{NAME} != 0")
        return text.encode()

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)  # not from the kept bytecode


class Finder:
    """Finds `signals.py` for `SixthSignal`."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name != MODULE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader: Loader = SixthSignal(name, spec.origin)
        spec.loader = loader
        return spec


def surfaces() -> dict[str, Any]:
    """Return what each surface says of a cluster with one short and one long prompt."""
    import django

    django.setup()
    from msgspec.structs import asdict

    from edge.rest.openapi.document import document
    from loadstats.admin.sums import HEADINGS, cluster_sums, listed_engines
    from loadstats.cache import MemoryLoadCache
    from loadstats.ledger import SIGNALS
    from loadstats.live.cluster_view import ClusterView
    from loadstats.live.summary_view import SummaryView
    from loadstats.metrics import LoadCollector
    from metadata_center.node import Node
    from runtime.config import Config
    from runtime.logs import configure
    from runtime.running import publish

    cache = MemoryLoadCache("", {})
    ledger = cache.ledger
    ledger.add("short", "c", "10.0.0.1", 5, 0.0, 9)
    ledger.add("long", "c", "10.0.0.1", 500, 0.0, 9)

    def whole(steps: Any) -> Any:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def snapshot(view: Any) -> Any:
        whole(view.look())
        return json.loads(b"{%b}" % view.snapshot())

    config = Config()
    logs = configure(config.log)
    try:
        with publish(Node(config, logs).published()):
            schemas = document()["components"]["schemas"]
    finally:
        logs.close()
    families = {each.name: [sample.value for sample in each.samples] for each in LoadCollector(cache).collect()}
    return {
        "table": list(SIGNALS),
        "row": asdict(ledger.rows("c")[0])[NAME],
        "answer": json.loads(ledger.loads.answer("c"))[0][NAME],
        "totals": getattr(whole(ledger.loads.totals(["c"]))[0], NAME),
        "summary socket": snapshot(SummaryView(ledger, "node"))["clusters"][0][NAME],
        "cluster socket": snapshot(ClusterView(ledger, "c", "node"))["engines"][0][NAME],
        "metrics": families["metadata_center_cluster_long_requests"][0],
        "admin engines": dict(zip(HEADINGS, next(iter(listed_engines(ledger))).numbers, strict=True))["Long prompts"],
        "admin clusters": dict(zip(HEADINGS, next(iter(cluster_sums(ledger))).numbers, strict=True))["Long prompts"],
        "schemas": sorted(name for name, each in schemas.items() if NAME in each.get("properties", {})),
    }


if __name__ == "__main__":
    sys.meta_path.insert(0, Finder)
    sys.stdout.write(json.dumps(surfaces()))

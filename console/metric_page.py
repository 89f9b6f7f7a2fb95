# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The node's metrics as a person reads them: in groups, with their help, a few samples of each. Pure.

Families are read once and in slices: those of engines make their samples while they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import isinf, isnan

from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.samples import Sample

from console.numbers import count

MOST_SAMPLES = 8
"""Shown of each family, so that the page stays short with thousands of engines."""

MOST_OF_ONE = 500
"""Shown of a family that was chosen."""

SLICE = 200
"""Samples read in one go: about 0.2 ms."""

OTHERS = "Other"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Load", ("metadata_center_engine", "metadata_center_cluster", "metadata_center_load", "metadata_center_pick")),
    ("Ledger", ("metadata_center_ledger",)),
    ("Gateways", ("metadata_center_owner", "metadata_center_gateway")),
    ("Cache index", ("metadata_center_kvcache",)),
    ("Replication and discovery", ("metadata_center_replica", "metadata_center_discovery", "metadata_center_domain")),
    ("Snapshots", ("metadata_center_snapshot", "metadata_center_history")),
    ("Calls and connections", ("metadata_center_http", "metadata_center_connection", "metadata_center_quota")),
    ("Pages and sockets", ("metadata_center_page", "metadata_center_socket", "metadata_center_log_in")),
    ("Keys and TLS", ("metadata_center_key", "metadata_center_tls", "metadata_center_audit")),
    ("This node", ("metadata_center",)),
    ("Process", ("process", "python")),
    ("Django", ("django",)),
    (
        "As the Go version names them",
        ("app_", "domain_", "http_", "metacenter_", "model_", "prompt_", "queued_", "replication_"),
    ),
)
"""Titles, and what the names of their families begin with. The first that fits counts."""


class ShownSample(Struct, frozen=True):
    """One value.

    `labels`: as `name="value"`; empty for none.
    `value`: as people read it.
    """

    labels: str
    value: str


class ShownFamily(Struct, frozen=True):
    """One family of metrics.

    `name`, `kind`, `help`: as the library has them.
    `samples`: the first of them.
    `more`: how many are not shown.
    """

    name: str
    kind: str
    help: str
    samples: tuple[ShownSample, ...]
    more: int


class FamilyGroup(Struct, frozen=True):
    """Families that belong together, under a title. `anchor` is its place on the page."""

    title: str
    anchor: str
    families: tuple[ShownFamily, ...]


def groups(
    families: Iterable[Metric], wanted: str = "", chosen: str = "", rest: Callable[[], object] = lambda: None
) -> list[FamilyGroup]:
    """Return the families in groups.

    `wanted`: a text that the name, the help or a label of what is shown holds, in any case; empty for all.
    `chosen`: the name of the only family to show; empty for all.
    `rest`: called after every `SLICE` samples.
    """
    found: dict[str, list[ShownFamily]] = {}
    most = MOST_OF_ONE if chosen else MOST_SAMPLES
    words = wanted.casefold()
    for family in families:
        if chosen and family.name != chosen:
            continue
        in_head = words in family.name.casefold() or words in family.documentation.casefold()
        shown = _show(family, "" if in_head else words, most, rest)
        if in_head or shown.samples:
            found.setdefault(_title(family.name), []).append(shown)
    titles = [title for title, _ in GROUPS] + [OTHERS]
    return [
        FamilyGroup(title, title.lower().replace(" ", "-"), tuple(sorted(found[title], key=lambda each: each.name)))
        for title in titles
        if title in found
    ]


def _show(family: Metric, words: str, most: int, rest: Callable[[], object]) -> ShownFamily:
    samples: list[ShownSample] = []
    number = read = 0
    for sample in family.samples:
        read += 1
        if read % SLICE == 0:
            rest()
        if sample.name.endswith(("_created", "_bucket")):
            continue
        labels = _labels(sample, family.name)
        if words and words not in labels.casefold():
            continue
        number += 1
        if len(samples) < most:
            samples.append(ShownSample(labels, value_text(sample.value, family.name)))
    return ShownFamily(family.name, family.type, family.documentation, tuple(samples), number - len(samples))


def _labels(sample: Sample, family: str) -> str:
    """Return a sample's labels. The count and the sum of a histogram are told apart by a word before them."""
    part = sample.name.removeprefix(family).removeprefix("_")
    labels = ", ".join(f'{name}="{value}"' for name, value in sample.labels.items())
    return f"{part} {labels}".strip() if part in {"count", "sum"} else labels


def value_text(value: float, family: str) -> str:
    """Return a value as people read it: a wall-clock time as a date, a whole number with its thousands set apart."""
    if isnan(value) or isinf(value):
        return str(value)
    if family.endswith(("_time_seconds", "_timestamp_seconds")) and value > 1e9:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if float(value).is_integer():
        return count(int(value))
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.1f}"


def _title(name: str) -> str:
    return next((title for title, starts in GROUPS if name.startswith(starts)), OTHERS)

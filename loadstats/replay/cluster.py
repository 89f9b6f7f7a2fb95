# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster of a replay: its name, its engines, and what the client counted of it. Owned by the replay's loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .engines import addresses
from .expectations import Expectations


@dataclass(frozen=True, slots=True)
class ReplayCluster:
    """A cluster with its engines. An engine belongs to one cluster only."""

    name: str
    engines: Sequence[str]
    expectations: Expectations = field(default_factory=Expectations)


def clusters_of(names: Sequence[str], engines: int) -> list[ReplayCluster]:
    """Deal the engines to the clusters in turn. There are at least as many engines as clusters."""
    all_engines = addresses(engines)
    return [ReplayCluster(name, all_engines[index :: len(names)]) for index, name in enumerate(names)]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a benchmark, and what it gets."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from benchmarks.section import Section
from benchmarks.servers import Servers


class Bench(NamedTuple):
    """One run of the benchmarks. `quick`: fewer and shorter rounds, to see that it works."""

    servers: Servers
    server_core: int
    quick: bool

    def pick(self, full: int, quick: int) -> int:
        """A size, by how thorough this run is."""
        return quick if self.quick else full


class Benchmark(Protocol):
    """A module of this package that measures one thing."""

    NAME: str

    def measure(self, bench: Bench) -> Section: ...

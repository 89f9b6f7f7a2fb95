# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a look-up finds: where a node can be reached. Pure; frozen."""

from __future__ import annotations

from msgspec import Struct

from runtime.config.endpoint import parse_endpoint


class Host(Struct, frozen=True, order=True):
    """Where a node is.

    `address`: its IP address.
    `port`: its port, None if the source does not know it.
    """

    address: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read `10.0.0.7`, `10.0.0.7:80`, `fd00::7` or `[fd00::7]:80`. Raises ValueError for anything else."""
        return cls(*parse_endpoint(text))

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The name of an engine within its cluster. Immutable and pure: the ledger and the index of caches use it too."""

from __future__ import annotations

from msgspec import Struct


class EngineName(Struct, frozen=True, gc=False):
    """What distinguishes the engines of a cluster.

    As text, which the ledger uses: `10.0.0.1`, `10.0.0.1:8000`, `10.0.0.1/3`, `10.0.0.1:8000/3`, `[::1]:8000/3`.

    `ip`: its address.
    `port`: its port; None where the address has one engine.
    `dp_rank`: its data-parallel rank; None where the port has one engine.
    """

    ip: str
    port: int | None = None
    dp_rank: int | None = None

    @property
    def is_address(self) -> bool:
        """Whether the name is the address alone."""
        return self.port is None and self.dp_rank is None

    def __str__(self) -> str:
        if self.is_address:
            return self.ip
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        port = "" if self.port is None else f":{self.port}"
        rank = "" if self.dp_rank is None else f"/{self.dp_rank}"
        return f"{host}{port}{rank}"

    @classmethod
    def of(cls, text: str) -> EngineName:
        """Return the name that has this text. Raises ValueError if no name has it: each name has one text."""
        host, port, rank = text, "", ""
        if "/" in text or ":" in text:
            host, _, rank = text.partition("/")
            if host.startswith("["):
                host, _, port = host[1:].partition("]")
                port = port[1:]
            elif host.count(":") == 1:
                host, _, port = host.partition(":")
        name = cls(host, int(port) if port else None, int(rank) if rank else None)
        in_bounds = (name.port is None or 1 <= name.port <= 65_535) and (name.dp_rank or 0) in range(65_536)
        if not host or not in_bounds or str(name) != text:
            raise ValueError(f"expected an engine's name, got {text!r}")
        return name


def address_in(text: str) -> str:
    """Return the address in an engine's name: the text itself if the name is the address alone."""
    return EngineName.of(text).ip if "/" in text or ":" in text else text

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of a prompt each engine of a cluster holds: most of them hold the same, nothing or a beginning that many
prompts have, so only the others are listed.

Made outside of the index's lock and not changed. `engines` is the cluster's own: an engine that comes or goes later is
found in it or not.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import compress, repeat
from typing import NamedTuple

ONES = bytes.maketrans(b"01", b"\0\1")


class Lengths(NamedTuple):
    """How many leading blocks of a prompt engines hold: `usual`, but for the `others`, by address, and for those that
    are none of `engines`; `longest` at most. `roster` is another object whenever the engines are others."""

    longest: int
    usual: int
    others: Mapping[str, int]
    engines: Container[str]
    roster: object

    def at(self, ip: str) -> int:
        """How many one holds."""
        length = self.others.get(ip)
        if length is not None:
            return length
        return self.usual if self.usual and ip in self.engines else 0

    @classmethod
    def of(
        cls, ended: list[tuple[int, int]], live: int, ips: Sequence[str], engines: Container[str], roster: object
    ) -> Lengths:
        """From the masks of those that hold just so many blocks, the most first, and the mask of all; `ips` are their
        addresses, by bit."""
        usual, most = 0, 0
        for length, mask in ended:
            live ^= mask
            if mask.bit_count() > most:
                usual, most = length, mask.bit_count()
        if live:
            ended = [*ended, (0, live)]
            if live.bit_count() > most:
                usual = 0
        others: dict[str, int] = {}
        for length, mask in ended:
            if length != usual:
                ones = f"{mask:b}"[::-1].encode().translate(ONES)
                others.update(zip(compress(ips, ones), repeat(length)))
        return cls(ended[0][0], usual, others, engines, roster)

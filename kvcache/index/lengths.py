# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of a prompt each engine of a cluster holds: most of them hold the same, nothing or a beginning that many
prompts have, so only the others are listed.

Made outside of the index's lock and not changed. `engines` is the cluster's own: an engine that comes or goes later is
found in it or not.

An engine is known by its full name. One without an entry of its own uses its address's.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import compress, repeat
from types import MappingProxyType
from typing import NamedTuple

NONE_FLOORED: Mapping[str, int] = MappingProxyType({})
ONES = bytes.maketrans(b"01", b"\0\1")


class KnownEngines:
    """The names of engines that have an entry of their own, and of those that use a part of their addresses'."""

    __slots__ = ("_engines", "_floors")

    def __init__(self, engines: Container[str], floors: Container[str]) -> None:
        self._engines = engines
        self._floors = floors

    def __contains__(self, name: object) -> bool:
        return name in self._engines or name in self._floors


class Lengths(NamedTuple):
    """How many leading blocks of a prompt engines hold: `usual`, but for the `others`, by name, and for those that are
    none of `engines`; `longest` at most. `roster` is another object whenever the engines are others."""

    longest: int
    usual: int
    others: Mapping[str, int]
    engines: Container[str]
    roster: object

    def at(self, engine: str, address: str | None = None) -> int:
        """How many an engine holds. `address` is that in its name; None: the name is the address."""
        length = self.others.get(engine)
        if length is not None:
            return length
        if engine in self.engines:
            return self.usual
        return 0 if address is None or address == engine else self.at(address)

    @classmethod
    def of(
        cls,
        ended: list[tuple[int, int]],
        live: int,
        names: Sequence[str],
        engines: Container[str],
        roster: object,
        floored: Mapping[str, int] = NONE_FLOORED,
    ) -> Lengths:
        """From the masks of those that hold just so many blocks, the most first, and the mask of all; `names` are
        theirs, by bit. `floored` are engines without an entry, which are in `engines` too."""
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
                others.update(zip(compress(names, ones), repeat(length)))
        others.update((name, length) for name, length in floored.items() if length != usual)
        return cls(ended[0][0], usual, others, engines, roster)

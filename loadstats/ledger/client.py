# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A client of this node: an address or a key, and how much of each cap it holds here.

Owned by the ledger and changed under its lock. Always true: `requests` is the sum of the sizes of the records that
refer to it, and `engines` and `owners` list exactly the engines and owners that do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from msgspec import Struct, field

from loadstats.ledger.expiry_queue import Link

LOOKS = 16  # at things that may be freed, before a call is refused: 5 µs


class Holding(Struct, gc=False, eq=False):
    """The engines, or the owners, that a client was the first to name.

    `size`: the sum of their sizes.
    """

    size: int = 0
    _things: OrderedDict[Link, int] = field(default_factory=OrderedDict)  # in a dict, what left the front slows a look

    def add(self, thing: Link, size: int) -> None:
        """List a thing."""
        self._things[thing] = size
        self.size += size

    def remove(self, thing: Link) -> None:
        """List a thing no more."""
        self.size -= self._things.pop(thing)

    def first(self, wanted: Callable[[Any], bool]) -> Link | None:
        """Return a thing that is wanted, if one of the first `LOOKS` is. Those looked at stand last after that."""
        for thing in list(islice(self._things, LOOKS)):
            if wanted(thing):
                return thing
            self._things.move_to_end(thing)
        return None

    def clear(self) -> None:
        """List nothing any more."""
        self._things.clear()
        self.size = 0


class LedgerClient(Struct, gc=False, eq=False):
    """One client, shared by all that its calls left on this node. What peers report and copy refers to none.

    A client and its engines and owners point at each other. They are unlisted here before they are dropped.

    `name`: its address, or the name of its key.
    `requests`: the size of its records: requests in flight, tombstones and stubs.
    `engines`: the engines that it was the first to name.
    `owners`: the owners that it was the first to name.
    """

    name: str
    requests: int = 0
    engines: Holding = field(default_factory=Holding)
    owners: Holding = field(default_factory=Holding)

    @property
    def idle(self) -> bool:
        """Whether it holds nothing."""
        return not (self.requests or self.engines.size or self.owners.size)

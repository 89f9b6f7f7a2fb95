# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's rows with every member, for those who ask for them. Owned by a cluster and used under the ledger's lock.

Rows are encoded when they are asked for and have changed since. What nobody asks for costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

from loadstats.ledger.row import encoded_full_row
from loadstats.ledger.signals import Load


class FullRows:
    """The answer with full rows as it was last asked for."""

    __slots__ = ("_answer", "_revision", "_rows", "_seen")

    def __init__(self) -> None:
        self._revision = -1
        self._answer = b""
        self._rows: list[bytes] = []
        self._seen: list[bytes] = []  # the rows as others get them, at the same places

    def answer(self, revision: int, engines: Sequence[Load], encoded: Sequence[bytes]) -> bytes:
        """Return a JSON array of the engines' full rows.

        `encoded` has their rows as others get them, at the same places. The bytes of a row that has changed are another
        object.
        """
        if revision != self._revision:
            old = zip(chain(self._seen, repeat(None)), chain(self._rows, repeat(b"")), strict=False)
            self._rows = [
                row if seen is now else encoded_full_row(engine)
                for engine, now, (seen, row) in zip(engines, encoded, old, strict=False)  # `old` has no end
            ]
            self._seen = list(encoded)
            self._answer = b"[%b]" % b",".join(self._rows)
            self._revision = revision
        return self._answer

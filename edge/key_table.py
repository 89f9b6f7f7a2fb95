# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the edge needs of the keys that callers may have. The app `access` loads them.

Any thread may ask a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edge.caller import Caller


class KnownKey(Protocol):
    """One key of a table.

    `caller`: who calls with it.
    `expires`: when it ends, in seconds of the table's clock; None: never.
    `used`: a call was made with it.
    """

    @property
    def caller(self) -> Caller: ...

    @property
    def expires(self) -> float | None: ...

    used: bool


class KeyTable(Protocol):
    """The keys that callers may have. In all calls `headers` are the first field of each name; names in lower case."""

    @property
    def generation(self) -> object:
        """Return what stands for the keys of now: another object after each change of the keys, and never None."""
        ...

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return the owner of the key in a head; None if there is no key or it is not valid."""
        ...

    def first_known(self, headers: Mapping[bytes, bytes]) -> KnownKey | None:
        """Return the key that `find` looks at first, also one that has expired; None if `find` knows none of a head."""
        ...

    def now(self) -> float:
        """Return the time by which keys expire, in seconds."""
        ...


class NoKeys:
    """A table without keys."""

    generation: object = "no keys"

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return None."""
        return None

    def first_known(self, headers: Mapping[bytes, bytes]) -> KnownKey | None:
        """Return None."""
        return None

    def now(self) -> float:
        """Return 0: nothing expires."""
        return 0.0

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key in a head that the lane remembers: what it opens, looked up once for each generation of the keys.

Owned by the event loop. Always holds: what was found in one generation lets nothing in once the next one stands, a key
lets nothing in from the moment at which it expires, and each call counts as a use of its key. What is kept is what the
table says of a key, not the key.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.call import Call, Route
from edge.key_table import KeyTable, KnownKey


class HeadKey:
    """The key of one head.

    `keys`: the keys that callers may have.
    `route`: what is called with the head.
    `headers`: the first field of each name; names in lower case.
    """

    __slots__ = ("_generation", "_headers", "_keys", "_known", "_route")

    def __init__(self, keys: KeyTable, route: Route, headers: Mapping[bytes, bytes]) -> None:
        self._keys = keys
        self._route = route
        self._headers = headers
        self._generation: object = None  # the one that `_known` was found in; None before the first look-up
        self._known: KnownKey | None = None  # None if it opens nothing, or the doors have to look each time

    def let_in(self, call: Call) -> bool:
        """Let a call of the route in and set its caller, if the key does that now. Returns whether.

        If not, the doors have to look. A key says more than a certificate, as it does there.
        """
        keys = self._keys
        if keys.generation is not self._generation:
            self._look()
        known = self._known
        if known is None or (known.expires is not None and keys.now() >= known.expires):
            return False
        known.used = True
        call.caller = known.caller
        return True

    def _look(self) -> None:
        keys = self._keys
        self._generation = keys.generation  # read first: if the keys change meanwhile, the next call looks again
        known = keys.first_known(self._headers)
        self._known = known if known is not None and self._route.opens_to(known.caller) else None

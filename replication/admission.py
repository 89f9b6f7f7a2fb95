# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may speak as a peer: those who are peers now, this machine, and callers that know the cluster's secret.

So may a caller with the scope `replicate`, which the doors know already. Where keys are required an address is not
enough, and neither is this machine's.

Asked on the event loop; the set of peers is replaced whole, from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from hmac import compare_digest

from edge.call import Call, Handler
from edge.caller import Scope
from edge.doors import Doors
from edge.errors import Forbidden, Unauthorized
from edge.reach import check_all
from replication.paths import SECRET_HEADER
from runtime.config.endpoint import canonical_address

_HEADER = SECRET_HEADER.lower().encode()


class Admission:
    """Admits callers. `secret` lets in a caller that sends it, from any address; an empty one lets in none.

    `doors`: say whether a call comes from this machine, and whether keys are required.
    """

    def __init__(self, secret: str, doors: Doors | None = None) -> None:
        self._secret = secret.encode()
        self._doors = doors or Doors()
        self._peers: frozenset[str] = frozenset()

    def set_peers(self, addresses: Iterable[str]) -> None:
        """Replace the set of peers."""
        self._peers = frozenset(map(_plain, addresses))

    def guard(self, handler: Handler) -> Handler:
        """Return the handler for those who may call it. Others get Forbidden, or Unauthorized if a key would help."""

        @wraps(handler)
        def guarded(call: Call) -> bytes:
            self._check(call)
            return handler(call)

        return guarded

    def _check(self, call: Call) -> None:
        if call.caller is not None and Scope.REPLICATE in call.caller.scopes:
            check_all(call.caller, "replication")
            return
        if self._secret and compare_digest(call.headers.get(_HEADER, b""), self._secret):
            return
        required = self._doors.required
        if not required and (_plain(call.client) in self._peers or self._doors.is_local(call.headers, call.client)):
            return
        reason = f"{call.client}: neither the address of a peer nor, in {SECRET_HEADER}, the cluster's secret"
        raise Unauthorized(f"{reason}, nor a key with the scope replicate") if required else Forbidden(reason)


def _plain(address: str) -> str:
    """Return an address as discovery has it: IPv4 if a dual-stack socket shows it inside IPv6."""
    return canonical_address(address.partition("%")[0]) if address else ""

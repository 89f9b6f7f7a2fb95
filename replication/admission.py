# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may speak as a peer: those who are peers now, this machine, and callers that know the cluster's secret.

So may a caller with the scope `replicate`, by a key or by a client certificate: the doors and the connection know that
already. Where keys or certificates are required an address is not enough, and neither is this machine's.

Asked on the event loop; the set of peers is replaced whole, from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from time import monotonic

from edge.call import Call, Handler
from edge.caller import Scope
from edge.doors import Doors
from edge.errors import Forbidden, Unauthorized
from edge.reach import check_all
from replication.paths import PROOF_HEADER, SECRET_HEADER
from replication.secret import Secret
from runtime.config.endpoint import canonical_address

_SHOWN = SECRET_HEADER.lower().encode()
_PROOF = PROOF_HEADER.lower().encode()


class Admission:
    """Admits callers. `secret` lets in a caller that proves or sends it, from any address; an empty one lets in none.

    `secret`: as this node, whose `origin` is given, knows it.

    `doors` say whether a call comes from this machine, and whether keys are required. `by_address` is False where an
    address is not enough although they are not.
    """

    def __init__(
        self,
        secret: str,
        doors: Doors | None = None,
        *,
        origin: str = "",
        by_address: bool = True,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.secret = Secret(secret, origin, now)
        self._doors = doors or Doors()
        self._by_address = by_address
        self._peers: frozenset[str] = frozenset()

    def set_peers(self, addresses: Iterable[str]) -> None:
        """Replace the set of peers."""
        self._peers = frozenset(map(_plain, addresses))

    def guard(self, handler: Handler, path: str = "") -> Handler:
        """Return the handler of a path for those who may call it. Others get Forbidden, or Unauthorized if a key would
        help."""
        place = path.encode()

        @wraps(handler)
        def guarded(call: Call) -> bytes:
            self._check(call, place)
            return handler(call)

        return guarded

    def _check(self, call: Call, path: bytes) -> None:
        if self._knows_secret(call, path):
            return
        if call.caller is not None and Scope.REPLICATE in call.caller.scopes:
            check_all(call.caller, "replication")
            return
        required = self._doors.required
        trusted = self._by_address and not required
        if trusted and (_plain(call.client) in self._peers or self._doors.is_local(call.headers, call.client)):
            return
        reason = f"{call.client}: neither the address of a peer nor a proof of the cluster's secret"
        if not self._by_address:
            reason = f"{call.client}: neither a peer's certificate nor a proof of the cluster's secret"
        raise Unauthorized(f"{reason}, nor a key with the scope replicate") if required else Forbidden(reason)

    def _knows_secret(self, call: Call, path: bytes) -> bool:
        """Return whether a caller knows the secret. Looked at first, so that nodes which still send it are noticed."""
        headers, credentials = call.headers, call.credentials
        if (proof := headers.get(_PROOF)) is not None and self.secret.is_proved(credentials, proof, path, call.body):
            return True
        secure = credentials is not None and credentials.secure
        return (shown := headers.get(_SHOWN)) is not None and self.secret.is_shown(shown, call.client, secure=secure)


def _plain(address: str) -> str:
    """Return an address as discovery has it: IPv4 if a dual-stack socket shows it inside IPv6."""
    return canonical_address(address.partition("%")[0]) if address else ""

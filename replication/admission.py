# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may speak as a peer: those who are peers now, this machine, and callers that know the cluster's secret.

Asked on the event loop; the set of peers is replaced whole, from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from hmac import compare_digest
from ipaddress import ip_address

from edge.call import Call, Handler
from edge.errors import Forbidden
from replication.paths import SECRET_HEADER
from runtime.config.endpoint import canonical_address

_HEADER = SECRET_HEADER.lower().encode()


class Admission:
    """Admits callers. `secret` lets in a caller that sends it, from any address; an empty one lets in none."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._peers: frozenset[str] = frozenset()

    def set_peers(self, addresses: Iterable[str]) -> None:
        """Replace the set of peers."""
        self._peers = frozenset(map(_plain, addresses))

    def guard(self, handler: Handler) -> Handler:
        """Return the handler for those who may call it. Others get Forbidden."""

        @wraps(handler)
        def guarded(call: Call) -> bytes:
            self._check(call)
            return handler(call)

        return guarded

    def _check(self, call: Call) -> None:
        client = _plain(call.client)
        if ip_address(client).is_loopback if client else True:
            return  # this machine, or a transport without addresses
        if client in self._peers:
            return
        if self._secret and compare_digest(call.headers.get(_HEADER, b""), self._secret):
            return
        raise Forbidden(f"{client}: neither the address of a peer nor, in {SECRET_HEADER}, the cluster's secret")


def _plain(address: str) -> str:
    """Return an address as discovery has it: IPv4 if a dual-stack socket shows it inside IPv6."""
    return canonical_address(address.partition("%")[0]) if address else ""

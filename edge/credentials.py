# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a connection has proved of its caller, beside its address: by a client certificate, or by a peer's secret.

Each connection has its own, on the event loop. `Certificates` is immutable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from edge.caller import Caller, Scope
from runtime.tls import names

_HOLDER = frozenset({Scope.READ, Scope.WRITE})
_PEER = _HOLDER | {Scope.REPLICATE}


class Credentials(Struct):
    """What one connection has proved.

    `caller`: the holder of the client certificate that was verified; None if none was shown.
    `secure`: the connection is TLS.
    `proofs`: what replication checks a peer's proofs on this connection with; None before a peer has begun any.
    """

    caller: Caller | None = None
    secure: bool = False
    proofs: object = None

    def caller_for(self, scope: Scope | None) -> Caller | None:
        """Return the holder of the certificate if it has the scope. Without it a holder is a stranger like others."""
        caller = self.caller
        return caller if caller is not None and scope in caller.scopes else None


class Certificates:
    """Says who the holders of verified certificates are.

    A holder may read and write. One whose certificate has one of `peer_names` is a peer too; without `peer_names` each
    holder is.
    """

    def __init__(self, peer_names: Iterable[str] = ()) -> None:
        self._peer_names = tuple(peer_names)

    def of(self, transport: asyncio.BaseTransport) -> Credentials:
        """Return what a new connection has proved."""
        if transport.get_extra_info("ssl_object") is None:
            return Credentials()
        peercert = transport.get_extra_info("peercert")
        return Credentials(self._holder(names(peercert)) if peercert else None, secure=True)

    def _holder(self, found: tuple[str, ...]) -> Caller:
        name = found[0] if found else "without a name"
        return Caller(f"certificate {name}", _PEER if is_named(found, self._peer_names) else _HOLDER)


def is_named(found: Iterable[str], wanted: tuple[str, ...]) -> bool:
    """Return whether one of the names in a certificate fits one of those wanted, or none is wanted."""
    return not wanted or any(fnmatchcase(name.lower(), glob.lower()) for name in found for glob in wanted)

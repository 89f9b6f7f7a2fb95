# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cluster's secret on one node: how it is proved without being sent, and when it may be sent nevertheless.

Proofs are HMAC-SHA-256 (RFC 2104). Each covers a nonce that the server made for this connection, who proves, a counter,
the path and the body. So a message that is sent again, on the same connection or on another one, proves nothing. No
clock takes part.

Nodes of the release before know no proofs: they send the secret in the clear and want it so. A node is sent it only
while such a node shows by itself that it is there, by calling this one with the right secret in the clear. A stranger
who pretends to know no proofs gets nothing by that.

Owned by the event loop; the admission and the connections of all links share it. `/readyz` reads from any thread.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from edge.credentials import Credentials
from replication.entities import OriginName
from replication.paths import PROOF_HEADER, SECRET_HEADER, VERSION

logger = logging.getLogger("replication")

NONCE_BYTES = 16
# Nodes of the release before call every half second. After so long without a call none is left.
OLD_SECONDS = 60.0


class Hello(Struct, frozen=True, array_like=True):
    """What a node sends first on a connection that it will prove on.

    `version`: the protocol's.
    `origin`: the sender's own.
    """

    version: int
    origin: OriginName


class Welcome(Struct, frozen=True, array_like=True):
    """The answer to a Hello.

    `version`: the protocol's.
    `nonce`: what the proofs on this connection are made with.
    """

    version: int
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=64)]


_encode = Encoder().encode
_read_hello = Decoder(Hello).decode
_read_welcome = Decoder(Welcome).decode


class Proofs:
    """The proofs of one connection, on the side that makes them or on the side that checks them."""

    def __init__(self, begun: hmac.HMAC) -> None:
        self._begun = begun
        self._number = 0

    def header(self, path: bytes, body: bytes) -> bytes:
        """Return the header line of the next message."""
        self._number += 1
        return b"%b: %b\r\n" % (PROOF_HEADER.encode(), self._proof(self._number, path, body))

    def is_next(self, proof: bytes, path: bytes, body: bytes) -> bool:
        """Return whether a proof is that of the next message. It is good once."""
        number = self._number + 1
        if not compare_digest(proof, self._proof(number, path, body)):
            return False
        self._number = number
        return True

    def _proof(self, number: int, path: bytes, body: bytes) -> bytes:
        proof = self._begun.copy()
        proof.update(b"%d %b\n" % (number, path))
        proof.update(body)
        return b"%d %b" % (number, proof.hexdigest().encode())


class Secret:
    """The secret, and what this node knows of nodes that want it in the clear.

    `header`: the header line that holds it.
    `hello`: what this node sends first on a connection.

    `origin` is this node's. `now` returns monotonic seconds. An empty secret is proved by nothing.
    """

    def __init__(self, secret: str, origin: str, now: Callable[[], float]) -> None:
        self._secret = secret.encode()
        self._origin = origin
        self._now = now
        self._key = hmac.new(self._secret, digestmod=sha256)
        self._old_until = float("-inf")
        self._sent_to: set[str] = set()
        self.header = b"%b: %b\r\n" % (SECRET_HEADER.encode(), self._secret)
        self.hello = _encode(Hello(VERSION, origin))

    def __bool__(self) -> bool:
        return bool(self._secret)

    # The side that calls

    def proofs(self, answer: bytes) -> Proofs:
        """Return the proofs of a connection whose Hello was answered so. Raises DecodeError or ValidationError."""
        return Proofs(self._begin(_read_welcome(answer).nonce, self._origin))

    def may_be_sent(self, peer: str) -> bool:
        """Return whether a peer that knows no proofs is sent the secret in the clear. The first time is logged."""
        if not self._old_are_here():
            return False
        if peer not in self._sent_to:
            self._sent_to.add(peer)
            logger.warning("peer %s: it knows no proofs and is sent the secret in the clear", peer)
        return True

    def sent_to(self) -> list[str]:
        """Return the peers that are sent the secret in the clear at the moment, by name."""
        return sorted(self._sent_to) if self._old_are_here() else []

    # The side that is called

    def welcome(self, body: bytes, credentials: Credentials) -> bytes | None:
        """Begin the proofs of a connection. Returns the answer; None for a call from this node itself.

        Raises DecodeError or ValidationError.
        """
        origin = _read_hello(body).origin
        if origin == self._origin:  # or from one who wants this node to prove to itself
            return None
        nonce = token_bytes(NONCE_BYTES)
        credentials.proofs = Proofs(self._begin(nonce, origin))
        return _encode(Welcome(VERSION, nonce))

    def is_proved(self, credentials: Credentials | None, proof: bytes, path: bytes, body: bytes) -> bool:
        """Return whether a message's proof is the next one of its connection. It is good once."""
        proofs = None if credentials is None else credentials.proofs
        return bool(self._secret) and isinstance(proofs, Proofs) and proofs.is_next(proof, path, body)

    def is_shown(self, shown: bytes, client: str, *, secure: bool) -> bool:
        """Return whether a header holds the secret. In the clear only nodes of the release before send it."""
        if not self._secret or not compare_digest(shown, self._secret):
            return False
        if not secure:
            if not self._old_are_here():
                logger.warning(
                    "a node of the release before calls from %s: it sends the secret in the clear, and while it is"
                    " there, peers that know no proofs are sent it so too. Once none is left, change the secret",
                    client,
                )
            self._old_until = self._now() + OLD_SECONDS
        return True

    def _old_are_here(self) -> bool:
        if self._now() < self._old_until:
            return True
        if self._sent_to:
            self._sent_to = set()
            logger.warning("no node of the release before calls any more: the secret is no longer sent in the clear")
        return False

    def _begin(self, nonce: bytes, origin: str) -> hmac.HMAC:
        begun = self._key.copy()
        begun.update(
            b"metadata-center replication 1\n%b\n%b\n" % (nonce.hex().encode(), origin.encode().hex().encode())
        )
        return begun

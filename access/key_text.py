# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A key as text: how one is made, and what is stored of it. Pure but for the system's random numbers.

A key is 32 random bytes, so guessing one is hopeless and a plain SHA-256 of it is enough: there is no word list to try,
and no salt or slow hash is needed. Only the digest is stored. What a caller sends is hashed before it is looked up, so
the time that a look-up takes says nothing about the keys that there are.
"""

from __future__ import annotations

from hashlib import sha256
from secrets import token_urlsafe

PREFIX = "mc_"
RANDOM_BYTES = 32
SHOWN = len(PREFIX) + 4
MAX_BYTES = 512  # longest key; anything longer is refused before it is hashed


def new_key() -> str:
    """Return a new key: `mc_` and 43 characters that need no quotes in a shell or a header."""
    return PREFIX + token_urlsafe(RANDOM_BYTES)


def digest_of(key: bytes) -> bytes:
    """Return the 32 bytes that stand for a key."""
    return sha256(key).digest()


def hint_of(key: str) -> str:
    """Return the beginning of a key. People distinguish keys by it. It does not help to guess the rest."""
    return key[:SHOWN]

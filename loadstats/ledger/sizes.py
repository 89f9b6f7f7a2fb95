# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of a cap each thing takes: 1 with an ordinary name, more with a long one. So caps bound bytes too.

Pure. A size depends on names alone: what is taken back later is what was counted.

Measured: a request with an id of 64 ASCII characters takes 314 bytes, 474 with an owner and tokens; with an id of 256
emoji 1,301. An owner takes 513 bytes and about 700 for each of its incarnations; an engine in a cluster of its own
1,380.
"""

from __future__ import annotations

ORDINARY = 64  # ASCII characters: ids of traces and sessions have up to 55
_ORDINARY_BYTES = 49 + ORDINARY
REQUEST_BYTES = 300
OWNER_BYTES = 600
ENGINE_BYTES = 1400


def request_size(request_id: str) -> int:
    """Return how many requests with an ordinary id this one stands for."""
    if len(request_id) <= ORDINARY and request_id.isascii():
        return 1
    return _size(request_id, REQUEST_BYTES)


def owner_size(name: str) -> int:
    """Return how many owners with an ordinary name this one stands for."""
    return _size(name, OWNER_BYTES)


def engine_size(cluster: str) -> int:
    """Return how many engines of a cluster with an ordinary name one of this cluster stands for."""
    return _size(cluster, ENGINE_BYTES)


def text_bytes(text: str) -> int:
    """Return the bytes that a string takes in CPython (PEP 393)."""
    if text.isascii():
        return 49 + len(text)
    widest = ord(max(text))
    if widest < 2**8:
        return 73 + len(text)
    return 74 + 2 * len(text) if widest < 2**16 else 76 + 4 * len(text)


def _size(name: str, unit: int) -> int:
    more = text_bytes(name) - _ORDINARY_BYTES
    return 1 if more <= 0 else 1 - (-more // unit)  # rounded up

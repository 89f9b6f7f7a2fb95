# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How far a request has come."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """The phases of a request, in order."""

    PREFILL = 0  # added; its prompt counts
    DECODE = 1  # first token seen; it counts, its prompt does not
    DONE = 2  # a tombstone, kept to meet late and repeated calls


# Plain names: a look-up on an enum class costs the hot path four times as much.
PREFILL, DECODE, DONE = Phase.PREFILL, Phase.DECODE, Phase.DONE

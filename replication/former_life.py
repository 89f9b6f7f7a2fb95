# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node knows of the life before its own, when it goes on from what that one left. Immutable."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class FormerLife(Struct, frozen=True):
    """The life before, as its files show it.

    `pause_seconds`: how long the node was not there.
    `clean`: it ended by a stop that wrote all that it had taken.
    `doubted`: what was in doubt even then, by its id: for how many seconds more it is protected.
    `dots`: the origin for what has no dot; empty if a peer may have it under another one, or none.
    `present`: the origins of lives that are there now. What their own clients reported is in no doubt.
    """

    pause_seconds: float
    clean: bool
    doubted: Mapping[str, int] = {}
    dots: str = ""
    present: frozenset[str] = frozenset()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node this process is. Immutable."""

from __future__ import annotations

from msgspec import Struct


class Identity(Struct, frozen=True):
    """One node.

    `name`: its address and port, as peers and pages call it.
    `version`: the service's version.
    """

    name: str
    version: str

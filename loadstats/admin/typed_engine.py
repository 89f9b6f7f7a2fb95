# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person typed to find engines, in the form that lists have. Pure."""

from __future__ import annotations

from edge.addresses import EngineNames
from edge.errors import InvalidInput


def as_listed(typed: str) -> str:
    """Return an engine's name in its one form; of any other text, such as a part of a name, its lower case."""
    text = typed.strip()
    try:
        return EngineNames().canonical(text)
    except InvalidInput:
        return text.lower()

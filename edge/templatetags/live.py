# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Words that the admin's templates use. Pure."""

from __future__ import annotations

from django import template

register = template.Library()

LABELS = {
    "ok": "success",
    "ready": "success",
    "connected": "success",
    "prefill": "info",
    "decode": "success",
    "starting": "info",
    "new": "info",
    "degraded": "warning",
    "stopping": "warning",
    "legacy": "warning",
    "early": "warning",
    "failed": "danger",
    "lost": "danger",
}


@register.filter
def age(seconds: float | None) -> str:
    """A duration in the two units that fit: `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    for unit, size, below, least in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // least
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


@register.filter
def node(origin: str) -> str:
    """The node of an origin, without which of its lives it was."""
    return origin.rpartition("@")[0]


@register.filter
def label(state: str) -> str:
    """The variant of unfold's label for a state or a phase."""
    return LABELS.get(state, "default")

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The theme that a person chose: light, dark, or as the system is. A cookie of the pages' script keeps it."""

from __future__ import annotations

from django.http import HttpRequest

MEDIA = {"light": "not all", "dark": "all"}
"""When the dark colours hold, by theme. Without one the system decides."""


def theme(request: HttpRequest) -> dict[str, str]:
    """Return what the frame of all pages needs. A context processor of Django's."""
    chosen = request.COOKIES.get("theme", "")
    return {"theme": chosen, "dark_media": MEDIA[chosen]} if chosen in MEDIA else {}

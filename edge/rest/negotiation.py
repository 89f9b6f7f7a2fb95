# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Chooses the form of an answer: a page for browsers, JSON for all others. Never a 406 or 415. Stateless."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from edge.pages import is_browser


class BrowserOrJson(DefaultContentNegotiation):
    """Expects the view's renderers to be the JSON one and the page's, in this order."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and its media type. Like the lane, it ignores `?format=` and qualities."""
        json, page = renderers
        chosen = page if is_browser(request) else json
        return chosen, str(chosen.media_type)

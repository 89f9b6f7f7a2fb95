# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes answers: the envelope as the dispatcher made it, or a page with it and with forms. Stateless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.conf import settings
from msgspec import Raw
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from edge.dispatcher import Dispatcher
from edge.rest.description import purpose
from edge.rest.forms import forms
from runtime.running import part

MOST_ROWS = 200  # on a page. 10,000 would be a megabyte of text that no person reads.


class EnvelopeRenderer(JSONRenderer):
    """Passes JSON on that is already encoded, so that it cannot differ from that of the other doors."""

    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        assert isinstance(data, bytes)
        return data


class PageRenderer(BrowsableAPIRenderer):
    """The browsable API's page."""

    template = "edge/api.html"

    def get_context(
        self, data: bytes | None, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the template's context. Without data no call was made, and the page has the forms alone."""
        view = renderer_context["view"]
        text, rows = ("", 0) if data is None else readable(data)
        return {
            "view": view,
            "paths": list(dict.fromkeys(route.path for route in part(Dispatcher).table if not route.internal)),
            "purpose": purpose(view),
            "response": renderer_context["response"],
            "answer": text,
            "rows": rows,
            "most_rows": MOST_ROWS,
            "forms": forms(view),
            "signed_in": settings.SESSION_COOKIE_NAME in renderer_context["request"].COOKIES,
        }


def readable(body: bytes) -> tuple[str, int]:
    """Return an envelope indented, with at most `MOST_ROWS` rows in its data; and how many rows there are."""
    members = msgspec.json.decode(body, type=dict[str, Raw])
    rows: list[Raw] = []
    if bytes(members["data"]).startswith(b"["):
        rows = msgspec.json.decode(members["data"], type=list[Raw])
        members["data"] = Raw(msgspec.json.encode(rows[:MOST_ROWS]))
    return msgspec.json.format(msgspec.json.encode(members), indent=2).decode(), len(rows)

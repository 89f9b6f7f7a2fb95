# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What every live page needs from the server, by the page's URL. Django's threads."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from console.calls import ask
from console.nodes import PeersView, troubles

REFRESH_SECONDS = 2


def live_context(request: HttpRequest, view: PeersView | None = None) -> dict[str, Any]:
    """Return whether a page moves, how often without JavaScript, and what is wrong among the nodes.

    `refresh=off` asks for a page that its script leaves alone. `paused=1` asks for one that stays at the moment at
    which it was loaded.
    """
    return {
        "still": request.GET.get("refresh") == "off",
        "paused": request.GET.get("paused") == "1",
        "refresh_seconds": REFRESH_SECONDS,
        "troubles": troubles(view or ask("/v1/replica/peers", PeersView)),
    }

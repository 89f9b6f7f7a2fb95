# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin's site: unfold's, under a content security policy of its own. Runs on Django's threads.

Not in the package `metadata_center.admin`: that registers pages with the site, and Django must be able to import the
site first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from unfold.sites import UnfoldAdminSite

# As the other pages', but for what unfold cannot do without: Alpine compiles the expressions in its templates, and both
# set styles. No script stands in a page, and nothing is loaded from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)

View = Callable[..., HttpResponseBase]


class Site(UnfoldAdminSite):  # type: ignore[misc] # untyped
    """Django's admin at `/admin/`."""

    index_template = "metadata_center/admin/dashboard.html"
    index_title = "Overview"
    login_template = "metadata_center/admin/login.html"
    enable_nav_sidebar = True

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Wrap a page's view. Every page but those below comes through here."""
        guarded: View = super().admin_view(view, cacheable)

        @wraps(guarded)
        def locked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _locked(guarded(request, *args, **kwargs))

        return locked

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """`/admin/login/`."""
        return _locked(super().login(request, extra_context))


def _locked(response: HttpResponseBase) -> HttpResponseBase:
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response

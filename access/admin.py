# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/access/accesskey/`: the keys of the database: listed, made and revoked. Runs on Django's threads.

A key is shown on the page that answers its making, and nowhere else: it goes into no message, session or log.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from access.grant import Grant, wall_text
from access.made_key import WrongKey, end_of, make_key
from access.models import AccessKey
from access.part import Access
from edge.caller import Scope
from edge.errors import NotFound
from edge.live_admin import LiveAdmin, Operation, Question, Values
from runtime.running import optional_part

PER_PAGE = 100
MEANINGS = {
    Scope.READ: "read load, caches and the node's state",
    Scope.WRITE: "report requests and caches, and pick engines",
    Scope.REPLICATE: "speak as another node",
    Scope.OPERATE: "change the node, and drop what others reported",
}


class RevokeKey(Operation):
    codename = "revoke_accesskey"
    title = "Revoke a key"
    button = "Revoke it"
    members = ("name",)
    flag = DELETION

    def ask(self, values: Values) -> Question:
        row = _in_use(values)
        used = "never" if row.last_used_at is None else f"{row.last_used_at:%Y-%m-%d %H:%M} UTC"
        return Question(
            f"Revoke the key {row.name}?",
            "Every node refuses it within 5 seconds, and closes the sockets and waiting calls that it opened.",
            (("key", f"{row.hint}…"), ("scopes", ", ".join(row.scopes)), ("last used", used)),
        )

    def perform(self, values: Values) -> str:
        row = _in_use(values)
        row.revoke()
        transaction.on_commit(_look_soon)
        return f"The key {row.name} is revoked."


@admin.register(AccessKey)
class KeyAdmin(LiveAdmin):
    template = "access/admin/keys.html"
    operations = (RevokeKey(),)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        access = optional_part(Access)
        return {
            "page": Paginator(AccessKey.objects.all(), PER_PAGE).get_page(request.GET.get("page")),
            "of_file": [] if access is None else [_shown(each) for each in access.keys_of_the_file()],
            "may_make": self._may_make(request),
        }

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the list, of a new key, and of a revocation."""
        make = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self._make))
        return [path("add/", make, name="access_accesskey_add"), *super().get_urls()]

    @staticmethod
    def _may_make(request: HttpRequest) -> bool:
        return request.user.has_perms(("access.view_accesskey", "access.add_accesskey"))

    def _make(self, request: HttpRequest) -> HttpResponse:
        """Show the form; make the key, and show it this once."""
        if not self._may_make(request):
            raise PermissionDenied
        asked = {name: request.POST.get(name, "").strip() for name in ("name", "clusters", "expires")}
        scopes = request.POST.getlist("scopes")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Make a key",
            "asked": asked,
            "scopes": [(scope.value, text, scope.value in scopes) for scope, text in MEANINGS.items()],
        }
        if request.method == "POST":
            try:
                row, key = _make_and_log(request.user, asked, scopes)
            except WrongKey as problem:
                context["problem"] = str(problem)
            else:
                return TemplateResponse(request, "access/admin/made.html", {**context, "row": row, "key": key})
        return TemplateResponse(request, "access/admin/make.html", context)


def _make_and_log(user: Any, asked: Values, scopes: list[str]) -> tuple[AccessKey, str]:
    """Make a key and write it to the admin log, both or neither. Raises WrongKey."""
    assert isinstance(user, User)  # no other kind comes past the site's own check
    access = optional_part(Access)
    if access is not None and asked["name"] in {each.name for each in access.keys_of_the_file()}:
        raise WrongKey("name", f"{asked['name']} is in use in [Auth] KeysFile, whose key would hold instead")
    expires = end_of(asked["expires"], timezone.now()) if asked["expires"] else None
    with transaction.atomic():
        row, key = make_key(asked["name"], scopes, asked["clusters"].split(), expires, user.get_username())
        LogEntry.objects.log_actions(
            user.pk, [row], ADDITION, f"Made with the scopes {', '.join(row.scopes)}.", single_object=True
        )
    _look_soon()
    return row, key


def _in_use(values: Values) -> AccessKey:
    """Return the row of a key that is not revoked. Raises NotFound."""
    row = AccessKey.objects.filter(name=values["name"], revoked_at__isnull=True).first()
    if row is None:
        raise NotFound(f"name: there is no key {values['name']!r}, or it is revoked already")
    return row


def _shown(each: Grant) -> dict[str, Any]:
    """Return a key of the file for the template."""
    return {
        "name": each.name,
        "expired": not each.holds_at(timezone.now().timestamp()),
        "scopes": sorted(each.caller.scopes),
        "clusters": each.caller.clusters,
        "end": "" if each.expires is None else wall_text(each.expires),
    }


def _look_soon() -> None:
    """Let this node take the change at once. Others take it within seconds."""
    access = optional_part(Access)
    if access is not None:
        access.look_soon()

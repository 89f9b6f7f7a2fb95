# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin's pages over what lives in memory: they ask the parts of the running node, and no table.

The models behind them have no table and stand for permissions alone. Runs on Django's threads; nothing is kept between
two pages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe
from msgspec import Struct
from unfold.admin import ModelAdmin

from edge.acting import actor_of
from edge.audit import Audit
from edge.errors import ContractError
from runtime.running import part

Values = dict[str, str]


class Question(Struct, frozen=True):
    """What a confirmation shows.

    `subject`: the question itself.
    `consequence`: what follows from a yes.
    `facts`: names and values about what it is done to.
    """

    subject: str
    consequence: str
    facts: tuple[tuple[str, str], ...] = ()


class Operation(ABC):
    """Something people may do on a page. `ask` and `perform` raise ContractError if it cannot be done.

    `codename`: its URL, and its permission.
    `permission`: another permission than that, if what it does is what that one is for.
    `title`: of its confirmation.
    `button`: the text on the confirmation's button.
    `members`: the names of the values that a form sends.
    `flag`: how the admin log marks it.
    """

    codename: ClassVar[str]
    permission: ClassVar[str] = ""
    title: ClassVar[str]
    button: ClassVar[str]
    members: ClassVar[tuple[str, ...]]
    flag: ClassVar[int]

    @abstractmethod
    def ask(self, values: Values) -> Question:
        """Return what to confirm."""

    @abstractmethod
    def perform(self, values: Values) -> str:
        """Do it. Returns what was done, for the admin log and for the person."""

    def target(self, values: Values) -> str:
        """Return the primary key that the admin log keeps."""
        return values[self.members[0]]


class LiveAdmin(ModelAdmin):  # type: ignore[misc] # untyped
    """One page, and the operations on it. Subclasses fill `context`.

    `template`: the page's template.
    `operations`: what people may do on it.
    """

    template: ClassVar[str]
    operations: ClassVar[tuple[Operation, ...]] = ()

    def context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the template shows."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the page and of each operation's confirmation."""
        view = self.admin_site.admin_view
        urls = [path("", view(self.changelist_view), name=f"{self._label}_changelist")]
        methods = require_http_methods(["GET", "HEAD", "POST"])
        for operation in self.operations:
            confirm = view(methods(self._confirmation(operation)))
            urls += [path(f"{operation.codename}/", confirm, name=f"{self._label}_{operation.codename}")]
        return urls

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, get_permission_codename("view", self.opts))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the page."""
        return require_safe(self._page)(request)

    def _page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(self.opts.verbose_name_plural).capitalize(),
            "may": {each.codename: self._may(request, each.permission or each.codename) for each in self.operations},
            "back": request.GET.urlencode(),
            **self.context(request),
        }
        return TemplateResponse(request, self.template, context)

    def _confirmation(self, operation: Operation) -> Any:
        def confirm(request: HttpRequest) -> HttpResponse:
            permission = operation.permission or operation.codename
            if not (self.has_view_permission(request) and self._may(request, permission)):
                raise PermissionDenied
            sent = request.POST if request.method == "POST" else request.GET
            values = {name: sent.get(name, "") for name in operation.members}
            back = reverse(f"{self.admin_site.name}:{self._label}_changelist")
            if query := sent.get("back", ""):
                back = f"{back}?{query}"
            following = sent.get("next", "")  # a page of the console
            if url_has_allowed_host_and_scheme(following, allowed_hosts=None):
                back = following
            else:
                following = ""
            try:
                if request.method == "POST":
                    messages.success(request, self._perform(request, operation, values))
                    return HttpResponseRedirect(back)
                question = operation.ask(values)
            except ContractError as problem:
                messages.error(request, problem.reason)
                return HttpResponseRedirect(back)
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": operation.title,
                "operation": operation,
                "question": question,
                "values": values,
                "back_url": back,
                "back": query,
                "next": following,
            }
            return TemplateResponse(request, "edge/admin/confirm.html", context)

        return confirm

    def _perform(self, request: HttpRequest, operation: Operation, values: Values) -> str:
        """Do it and write it to the admin log and the audit trail. If the admin log cannot be written, nothing is done.

        The one place where people do something by an operation: a new one is written down without a line of its own.
        """
        assert isinstance(request.user, User)  # no other kind comes past the site's own check
        audit, actor = part(Audit), actor_of(request)
        with transaction.atomic():
            entry = LogEntry.objects.log_actions(
                request.user.pk, [self.model(pk=operation.target(values))], operation.flag, single_object=True
            )
            try:
                done = operation.perform(values)
            except Exception as problem:
                audit.failed(operation.codename, actor.who, actor.client, {**values, "reason": str(problem)})
                raise
            entry.change_message = done
            entry.save()
        audit.record(operation.codename, actor.who, actor.client, {**values, "done": done})
        return done

    def _may(self, request: HttpRequest, codename: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    @property
    def _label(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

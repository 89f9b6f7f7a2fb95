# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes down what changes in the database, and log-ins: of every model that is not named here, so also of new ones.

Called by Django's signals, on the thread that changes something. Always holds: values of fields that may be secret are
not written down, only that they changed; and no change fails because it could not be written down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import signals as auth_signals
from django.db import router
from django.db.models import Model, signals
from django.http import HttpRequest

from edge.acting import Actor, actor_of, current_actor
from metadata_center.audit.here import audit_here

# Django's own books: they follow from what is written down anyway.
BOOKKEEPING: Final = frozenset({"sessions", "contenttypes", "admin", "axes", "migrations"})
BOOKKEEPING_MODELS: Final = frozenset({"auth.permission", "metadata_center.auditentry"})
# What changes with each use and by nobody's will. A password's change is reported by `PasswordWatch`.
OF_USE: Final = frozenset({"last_login", "last_used", "password", "mark"})
SECRET: Final = re.compile(r"password|secret|hash|digest|token|key$")


def connect() -> None:
    """Connect the receivers. Called once, when the apps are ready."""
    signals.pre_save.connect(before_save, dispatch_uid="audit")
    signals.post_save.connect(after_save, dispatch_uid="audit")
    signals.post_delete.connect(after_delete, dispatch_uid="audit")
    signals.m2m_changed.connect(after_relation, dispatch_uid="audit")
    auth_signals.user_logged_in.connect(after_log_in, dispatch_uid="audit")
    auth_signals.user_logged_out.connect(after_log_out, dispatch_uid="audit")
    auth_signals.user_login_failed.connect(after_failed_log_in, dispatch_uid="audit")


def before_save(sender: type[Model], instance: Model, *, using: str, update_fields: Any = None, **_: Any) -> None:
    """Remember on the object what the save changes."""
    if not is_audited(sender) or instance._state.adding:
        return
    names = update_fields if update_fields is None else set(update_fields) - OF_USE
    if names is not None and not names:
        return
    before = sender._default_manager.using(using).filter(pk=instance.pk).first()
    instance.audit_changes = changes(before, instance, names) if before is not None else {}  # type: ignore[attr-defined]


def after_save(sender: type[Model], instance: Model, *, created: bool, **_: Any) -> None:
    """Write down that something was made or changed."""
    if not is_audited(sender):
        return
    if created:
        _record(f"{name_of(sender)} created", {"name": str(instance), **shown(instance)})
    elif found := instance.__dict__.pop("audit_changes", None):
        _record(f"{name_of(sender)} changed", {"name": str(instance), "changes": found})


def after_delete(sender: type[Model], instance: Model, **_: Any) -> None:
    """Write down that something was deleted."""
    if is_audited(sender):
        _record(f"{name_of(sender)} deleted", {"name": str(instance)})


def after_relation(
    sender: type[Model], instance: Model, *, action: str, reverse: bool, model: type[Model], pk_set: Any, **_: Any
) -> None:
    """Write down what something was given or lost: a user's groups, a group's permissions."""
    if action not in {"post_add", "post_remove", "pre_clear"} or not is_audited(type(instance)) or pk_set == set():
        return
    manager = model._default_manager.using(router.db_for_read(model, instance=instance))
    others = [str(each) for each in manager.filter(pk__in=pk_set)] if pk_set else ["all"]
    given = "given" if action == "post_add" else "taken"
    what = str(model._meta.verbose_name_plural)
    _record(f"{name_of(type(instance))} {what} changed", {"name": str(instance), given: others})


def after_log_in(sender: Any, user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Write down a log-in."""
    client = "" if request is None else actor_of(request).client
    audit_here().record("log-in", f"user {user.get_username()}", client, {})


def after_log_out(sender: Any, user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Write down a log-out; that of someone who was not logged in is none."""
    if user is not None:
        client = "" if request is None else actor_of(request).client
        audit_here().record("log-out", f"user {user.get_username()}", client, {})


def after_failed_log_in(
    sender: Any, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Write down a log-in that was refused, unless there were too many of them."""
    actor = current_actor() if request is None else Actor(*_address(request))
    name = str(credentials.get("username", ""))[:64]
    audit_here().refused("log-in", actor.who, actor.client, {"name": name})


class PasswordWatch:
    """A password validator that accepts all, and that Django calls once a password has changed."""

    def validate(self, password: str, user: Any = None) -> None:
        """Accept it."""

    def get_help_text(self) -> str:
        """Return nothing: there is no rule to explain."""
        return ""

    def password_changed(self, password: str, user: Any = None) -> None:
        """Write down that a user's password changed."""
        if user is not None:
            _record("password changed", {"name": str(user)})


def is_audited(model: type[Model]) -> bool:
    """Return whether changes of this model's objects are written down. Those of migrations are not."""
    options = model._meta
    return (
        options.managed
        and options.apps is apps
        and not options.auto_created
        and options.app_label not in BOOKKEEPING
        and options.label_lower not in BOOKKEEPING_MODELS
    )


def name_of(model: type[Model]) -> str:
    """Return what acts call it."""
    return str(model._meta.verbose_name)


def changes(before: Model, after: Model, names: set[str] | None) -> dict[str, object]:
    """Return the fields that differ, each with its value before and after; of a secret one only that it changed."""
    found: dict[str, object] = {}
    for field in after._meta.concrete_fields:
        if field.attname in OF_USE or (names is not None and not {field.name, field.attname} & names):
            continue
        old, new = field.value_from_object(before), field.value_from_object(after)
        if old != new:
            found[field.name] = "changed" if SECRET.search(field.name) else {"from": old, "to": new}
    return found


def shown(instance: Model) -> dict[str, object]:
    """Return the fields of a new object that say something: set, not secret, and no part of its name."""
    found: dict[str, object] = {}
    for field in instance._meta.concrete_fields:
        value = field.value_from_object(instance)
        if field.primary_key or field.attname in OF_USE or SECRET.search(field.name) or value in (None, "", False):
            continue
        found[field.name] = value
    return found


def _record(act: str, what: Mapping[str, object]) -> None:
    actor = current_actor()
    audit_here().record(act, actor.who, actor.client, what)


def _address(request: HttpRequest) -> tuple[str, str]:
    client = str(request.META.get("REMOTE_ADDR") or "")
    return f"address {client or 'unknown'}", client

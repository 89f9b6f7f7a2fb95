# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's accounts and groups in the admin, in unfold's looks. Runs on Django's threads."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(auth.UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg] # untyped
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    filter_horizontal = ()  # Django's two boxes are not for screen readers


@admin.register(Group)
class GroupAdmin(auth.GroupAdmin, ModelAdmin):  # type: ignore[misc] # untyped
    filter_horizontal = ()

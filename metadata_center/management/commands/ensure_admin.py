# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center ensure_admin`: a first admin, where there is none. For a node on one's own machine."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from metadata_center.program import program

NAME = "admin"


class Command(BaseCommand):
    help = "Make a first admin with a random password, shown once, where there is no superuser yet."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(is_superuser=True).exists():
            return
        if User.objects.filter(username=NAME).exists():
            self.stdout.write(f"No superuser, and {NAME!r} is taken: make one with `{program()} createsuperuser`.")
            return
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser(NAME, password=password)
        self.stdout.write(
            f"A first admin for /admin/ was made. The password is shown this once and stored nowhere:\n"
            f"  user      {NAME}\n"
            f"  password  {password}\n"
            f"Change it with `{program()} changepassword {NAME}`.\n"
        )

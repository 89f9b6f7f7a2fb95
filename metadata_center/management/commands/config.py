# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center config`: the effective configuration. The command line answers it itself, without Django's settings.

It is here so that Django knows the name, too.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from runtime.config.report import render


class Command(BaseCommand):
    help = "Show every setting, its value and where that came from. Secrets are masked."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(render(settings.LOADED))

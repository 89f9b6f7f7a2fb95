# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry, which holds the project's one global: the parts of the running node."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """Read and written through `runtime.running` only.

    `parts`: the running node's parts by class; empty while no node runs.
    """

    name = "runtime"

    def ready(self) -> None:
        """Start without parts."""
        self.parts: dict[type, Any] = {}

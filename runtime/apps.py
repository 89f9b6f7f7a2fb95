# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry, which holds the project's one global: the objects of the running node."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """Read and written through `runtime.running` only.

    `parts`: the running node's parts by class; empty while no node runs.
    `shared`: objects that Django makes one per thread and that share their state, by key.
    `lock`: held while an object is added to `shared`.
    """

    name = "runtime"

    def ready(self) -> None:
        """Begin empty."""
        self.parts: Mapping[type, Any] = {}
        self.shared: dict[tuple[str, str], Any] = {}
        self.lock = Lock()

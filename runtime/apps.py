# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry, which holds the project's one global: the objects of the running node."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import Any

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """Read and written through `runtime.running` only.

    `parts`: the running node's parts by class; empty while no node runs.
    `shared`: objects that Django makes one per thread and that share their state, by key.
    `kept`: what was made once in the life of the running node, by key.
    `lock`: held while an object is added to `shared` or `kept`.
    """

    name = "runtime"

    def ready(self) -> None:
        """Begin empty."""
        self.parts: Mapping[type, Any] = {}
        self.shared: dict[tuple[str, str], Any] = {}
        self.kept: dict[str, Any] = {}
        self.lock = RLock()  # what is made may need something else that is

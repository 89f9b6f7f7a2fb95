# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where Django's own code finds the parts of the running node.

Django builds views, admin pages, cache objects and Celery tasks by itself, so nothing can be handed to them. They ask
here. This is the one global of the project. The composition root fills it when a node starts and empties it when the
node stops; any thread may read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from django.apps import apps

from runtime.apps import RuntimeConfig

T = TypeVar("T")


class NotRunning(RuntimeError):
    """No node runs in this process, or it lacks the part that was asked for."""


@contextmanager
def publish(parts: Mapping[type, Any]) -> Iterator[None]:
    """Let `part` find these objects by their classes, until the context ends."""
    config = _config()
    before, kept = config.parts, config.kept
    config.parts, config.kept = parts, {}
    try:
        yield
    finally:
        config.parts, config.kept = before, kept


def part(kind: type[T]) -> T:
    """Return the running node's part of this class. Raises NotRunning."""
    found = optional_part(kind)
    if found is None:
        raise NotRunning(f"no node with a {kind.__name__} runs in this process: start one with `run`")
    return found


def optional_part(kind: type[T]) -> T | None:
    """Return the running node's part of this class; None where no node runs, or it has none."""
    return cast("T | None", _config().parts.get(kind))


def shared(key: tuple[str, str], build: Callable[[], T]) -> T:
    """Return the process's object of this key, made by `build` on first use."""
    config = _config()
    with config.lock:
        if key not in config.shared:
            config.shared[key] = build()
        return cast("T", config.shared[key])


def made_once(key: str, make: Callable[[], T]) -> T:
    """Return what `make` returned for this key first in the life of the running node. Others wait while it is made."""
    config = _config()
    with config.lock:
        if key not in config.kept:
            config.kept[key] = make()
        return cast("T", config.kept[key])


def _config() -> RuntimeConfig:
    return cast("RuntimeConfig", apps.get_app_config("runtime"))

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Chooses the discovery that the configuration asks for. Used once, at start."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from discovery.service import ServiceDiscovery
from discovery.static import StaticDiscovery
from runtime.config import ConfigError
from runtime.config.schema import DiscoverySettings

logger = logging.getLogger(__name__)


def choose(config: DiscoverySettings, monotonic: Callable[[], float]) -> ServiceDiscovery | None:
    """Return the configured discovery, or None if the node is alone. `monotonic` returns seconds.

    Raises ConfigError for a class that can't be found or made.
    """
    if config.class_path:
        return _custom(config)
    if config.hosts:
        return StaticDiscovery(config.hosts)
    return _by_dns(config, monotonic) if config.host else None


def _by_dns(config: DiscoverySettings, monotonic: Callable[[], float]) -> ServiceDiscovery:
    from discovery.dns import DnsDiscovery, resolver_at, system_resolver  # noqa: PLC0415 a twentieth of a start

    own = config.nameservers
    if not own:
        _warn_of_skipped_entries()
    return DnsDiscovery(
        config.host,
        partial(resolver_at, own) if own else system_resolver,
        timeout_seconds=config.lookup_timeout_seconds,
        monotonic=monotonic,
    )


def _warn_of_skipped_entries() -> None:
    """Log once what every look-up will leave out."""
    from discovery.resolv_conf import PATH, read_resolv_conf  # noqa: PLC0415 as above

    with suppress(OSError):  # a look-up that fails says so
        for entry in read_resolv_conf().skipped:
            logger.warning("%s: %r can't be used and is skipped", PATH, entry)


def _custom(config: DiscoverySettings) -> ServiceDiscovery:
    module, _, name = config.class_path.rpartition(".")
    try:
        discovery = getattr(importlib.import_module(module), name)(config)
    except Exception as error:  # the user's code may raise anything
        raise _problem(config, f"{type(error).__name__}: {error}") from error
    if not isinstance(discovery, ServiceDiscovery):
        raise _problem(config, "it has no method hosts()")
    return discovery


def _problem(config: DiscoverySettings, text: str) -> ConfigError:
    return ConfigError(f"[Discovery] Class: {config.class_path}: {' '.join(text.split())}")

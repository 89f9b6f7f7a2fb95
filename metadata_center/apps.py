# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The project's entry in Django's registry: where Django's own code, which nobody hands anything, finds the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps  # not the class: Django would take it for this package's entry

if TYPE_CHECKING:
    from metadata_center.node import Node


class MetadataCenterConfig(AppConfig):
    """`node` is set by the composition root, and None while it is not running."""

    name = "metadata_center"
    verbose_name = "Metadata Center"
    node: Node | None = None


class SiteConfig(admin_apps.AdminConfig):
    """Django's admin with our site."""

    default_site = "metadata_center.admin_site.Site"
    default = False  # it is the entry of `django.contrib.admin`, not of this package


def running_node() -> Node:
    """The node of this process. Raises RuntimeError where none was started."""
    config = apps.get_app_config("metadata_center")
    assert isinstance(config, MetadataCenterConfig)
    if config.node is None:
        raise RuntimeError("no node runs in this process: start one with `manage.py run`")
    return config.node

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Registers the admin's pages about the load. Django imports it once, when the apps are ready."""

from loadstats.admin import clusters, engines, requests

__all__ = ["clusters", "engines", "requests"]

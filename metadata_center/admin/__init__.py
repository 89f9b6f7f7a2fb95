# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Registers the admin's pages about the node itself. Django imports it once, when the apps are ready."""

from metadata_center.admin import accounts, audit, configuration, log, log_ins, node, tasks

__all__ = ["accounts", "audit", "configuration", "log", "log_ins", "node", "tasks"]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real log server: the client for Valkey and Redis."""

from replication.log.valkey.server import ValkeyServer, open_log_server

__all__ = ["ValkeyServer", "open_log_server"]

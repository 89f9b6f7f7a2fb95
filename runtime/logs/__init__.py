# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The application log and the access log: two formats, one writer per target, a level that can change later."""

from runtime.logs.setup import Logs, configure

__all__ = ["Logs", "configure"]

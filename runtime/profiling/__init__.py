# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Profiles of the running node in pprof's format, served on a port and on threads of their own.

Nothing here uses the loop or the ledger, so it also answers while the loop is stuck.
"""

from __future__ import annotations

from runtime.profiling.server import ProfilingServer

__all__ = ["ProfilingServer"]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When an engine's load is stale: it holds requests and has had no news of them for long."""

from __future__ import annotations

from typing import Final

_SHARE: Final = 4  # of the time in which requests time out


def stale_seconds(request_expire_seconds: float) -> float:
    """Return after how many seconds without news an engine that holds requests is stale."""
    return request_expire_seconds / _SHARE

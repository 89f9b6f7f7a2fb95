# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the replay's tests share."""

from __future__ import annotations

import pytest

from loadstats.replay import client


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for a call is short where others have the machine: what counts errors must not count these."""
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 60.0)

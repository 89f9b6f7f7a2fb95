# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that share a database sign log-ins with one key, or find out that they do not."""

from __future__ import annotations

from typing import Any

import pytest

from metadata_center.accounts.signing_key import agree_on_key, differs, fingerprint
from metadata_center.models import SharedKey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_key(settings: Any) -> None:
    """The key that the node has begun with. It is put back after the test."""
    settings.SECRET_KEY = "of this node alone"


def test_the_key_is_made_once_and_every_node_takes_it(settings: Any) -> None:
    agree_on_key("")
    made = settings.SECRET_KEY
    assert len(made) >= 50
    settings.SECRET_KEY = "of another node alone"
    assert differs()
    agree_on_key("")
    assert made == settings.SECRET_KEY
    assert not differs()
    assert SharedKey.objects.count() == 1


def test_a_configured_key_is_used_and_a_node_without_it_finds_out(settings: Any) -> None:
    agree_on_key("")
    made = settings.SECRET_KEY
    agree_on_key("configured on the node started last")
    assert settings.SECRET_KEY == "configured on the node started last"
    assert not differs()
    settings.SECRET_KEY = made  # the node that was there before
    assert differs()


def test_the_database_does_not_hold_a_configured_key(settings: Any) -> None:
    agree_on_key("configured")
    row = SharedKey.objects.get()
    assert "configured" not in (row.made, row.in_use)
    assert row.in_use == fingerprint()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.unit.partial_node import PartialNode, in_place

HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("MD5", "PBKDF2")]


@pytest.fixture(scope="session", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hash passwords in no time: the hash that nodes use takes a third of a second, on purpose."""
    with override_settings(PASSWORD_HASHERS=HASHERS):
        yield


@pytest.fixture
def node() -> Iterator[PartialNode]:
    """The process's node: what its pages need of one."""
    with in_place(PartialNode()) as node:
        yield node

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.partial_node import PartialNode, in_place


@pytest.fixture
def node() -> Iterator[PartialNode]:
    """The process's node: what its pages need of one."""
    with in_place(PartialNode()) as node:
        yield node

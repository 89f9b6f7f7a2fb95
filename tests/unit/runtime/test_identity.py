# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node is called."""

from __future__ import annotations

import pytest

from discovery.host import Host
from runtime.identity import node_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("10.0.0.7", "10.0.0.7:80"),
        ("::ffff:10.0.0.7", "10.0.0.7:80"),
        ("FD00:0::7", "[fd00::7]:80"),
        ("host-7.example", "host-7.example:80"),
    ],
)
def test_a_node_is_called_as_its_peers_write_it(host: str, name: str) -> None:
    assert node_name(host, 80) == name


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7"])
def test_peers_call_it_the_same(address: str) -> None:
    assert str(Host(address, 80)) == node_name(address, 80)

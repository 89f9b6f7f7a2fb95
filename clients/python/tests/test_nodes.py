# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node is asked."""

from __future__ import annotations

import pytest
from metadata_center_client.nodes import FAILURES, REST_SECONDS, Nodes, fnv32a

URLS = ["http://c/", "http://a", "http://b", "http://a"]


@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_hash_is_that_of_the_reference_gateway(text: str, value: int) -> None:
    assert fnv32a(text) == value


def test_a_cluster_is_asked_of_by_its_hash_over_the_sorted_nodes() -> None:
    nodes = Nodes(URLS)
    order = [node.url for node in nodes.order("foobar", 0.0)]
    first = 0xBF9CF968 % 3
    names = ["http://a", "http://b", "http://c"]
    assert order == names[first:] + names[:first]


def test_a_node_that_failed_ten_times_in_a_row_is_asked_last_for_five_seconds() -> None:
    nodes = Nodes(URLS)
    node = nodes.order("x", 0.0)[0]
    for _ in range(FAILURES - 1):
        nodes.failed(node, 100.0)
    assert nodes.order("x", 100.0)[0] is node
    nodes.failed(node, 100.0)
    assert nodes.order("x", 100.0)[-1] is node
    assert nodes.order("x", 100.0 + REST_SECONDS)[0] is node
    nodes.answered(node)
    assert nodes.order("x", 100.0)[0] is node


def test_without_a_node_there_is_no_client() -> None:
    with pytest.raises(ValueError, match="at least one URL"):
        Nodes([])

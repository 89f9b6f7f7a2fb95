# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The live copy of a cluster's load."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

pytest.importorskip("websockets", reason="needs the extra live")

from metadata_center_client.live import LiveLoad, addresses


def message(kind: str, version: int, *rows: dict[str, Any], gone: list[str] | None = None) -> bytes:
    return msgspec.json.encode({"type": kind, "version": version, "engines": list(rows), "gone": gone or []})


def test_it_follows_what_changes() -> None:
    copy = LiveLoad()
    assert copy.age_seconds == float("inf")
    copy.take(
        message("snapshot", 1, {"ip": "10.0.0.1", "queued_req_num": 1}, {"ip": "fe80::1", "port": 80, "dp_rank": 3})
    )
    before = copy.engines
    copy.take(message("changes", 2, {"ip": "10.0.0.1", "queued_req_num": 2}, gone=["[fe80::1]:80/3"]))
    copy.take(message("alive", 2))
    assert {name: row.queued_req_num for name, row in copy.engines.items()} == {"10.0.0.1": 2}
    assert set(before) == {"10.0.0.1", "[fe80::1]:80/3"}
    assert copy.live
    assert copy.age_seconds < 60


def test_a_missing_message_is_noticed() -> None:
    copy = LiveLoad()
    copy.take(message("snapshot", 1))
    with pytest.raises(ValueError, match="missing"):
        copy.take(message("changes", 3))
    with pytest.raises(ValueError, match="not a message"):
        copy.take(b"{")


def test_all_nodes_are_tried_with_the_name_encoded() -> None:
    assert sorted(addresses(["http://a", "https://b/"], "a/b")) == ["ws://a/ws/load/a%2Fb/", "wss://b/ws/load/a%2Fb/"]

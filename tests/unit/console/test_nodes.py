# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node among its peers, in words and places."""

from __future__ import annotations

import pytest

from console.nodes import ROW_HEIGHT, Peer, PeersView, map_height, places, seen, troubles


@pytest.mark.parametrize(
    ("peer", "words", "mood"),
    [
        (Peer("p", "connected"), "", "ok"),
        (Peer("p", "legacy"), "", "quiet"),
        (Peer("p", "lost"), "p is lost: it does not answer", "bad"),
        (Peer("p", "lost", last_error="[Errno 111] refused"), "p is lost: refused", "bad"),
        (Peer("p", "connected", lag_seconds=1.9, lag_events=3), "", "ok"),
        (
            Peer("p", "connected", lag_seconds=2.0),
            "p is behind: it does not receive this node's events in time",
            "warn",
        ),
        (Peer("p", "connected", pulling_buckets=7), "This node and p are out of sync; repairing", "warn"),
        (Peer("p", "connected", joined=False), "p is still catching up: its numbers are incomplete", "warn"),
    ],
)
def test_a_peers_trouble_is_named(peer: Peer, words: str, mood: str) -> None:
    assert [trouble.words for trouble in troubles(PeersView(peers=(peer,)))] == ([words] if words else [])
    assert peer.mood == mood


def test_a_node_that_joins_says_so_after_who_is_lost() -> None:
    found = troubles(PeersView(joined=False, peers=(Peer("p", "lost"),)))
    assert [trouble.level for trouble in found] == ["bad", "warn"]


def test_a_cold_node_says_so_and_since_when() -> None:
    (found,) = troubles(PeersView(cold_since="2026-11-23T13:22:03.446Z"))
    assert found.level == "warn"
    assert found.words.startswith("This node is cold: it may not know requests that were under way before it started")
    assert found.words.endswith("(2026-11-23 13:22:03 UTC)")
    assert troubles(PeersView()) == []


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        (Peer("p", "connected", lag_events=9, lag_seconds=0.003), "connected"),
        (Peer("p", "connected", lag_events=1200, lag_seconds=3.0), "connected, 1,200 events behind"),
        (Peer("p", "connected", pulling_buckets=7), "connected, 7 of 1024 buckets to come"),
        (Peer("p", "lost", since_seconds=12.0), "lost for 12 s"),
        (Peer("p", "lost", since_seconds=0.2), "lost"),
        (Peer("p"), "new"),
    ],
)
def test_a_place_says_how_its_peer_is(peer: Peer, words: str) -> None:
    assert [place.words for place in places(PeersView(peers=(peer,)))] == [words]


def test_peers_stand_below_each_other_with_their_watermarks() -> None:
    view = PeersView("n@1", vector={"p@2": 5}, peers=(Peer("p", origin="p@2"), Peer("q")))
    assert map_height(view) == 2 * ROW_HEIGHT
    assert [(place.watermark, place.y) for place in places(view)] == [(5, ROW_HEIGHT / 2), (0, ROW_HEIGHT * 1.5)]
    assert map_height(PeersView()) == ROW_HEIGHT


def test_lives_that_go_on_come_first() -> None:
    before, now = "n@18eab78559b6dacf", "n@18eac78559b6dacf"
    view = PeersView(now, vector={before: 3, now: 4, "p@zz": 9}, peers=(Peer("p", origin="p@zz"),))
    lives = seen(view)
    assert [(life.node, life.watermark, life.current) for life in lives] == [
        ("n", 4, True),
        ("p", 9, True),
        ("n", 3, False),
    ]
    assert [life.started[:4] for life in lives] == ["2026", "", "2026"]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that began with nothing: what fills them, and what does not."""

from __future__ import annotations

from time import monotonic

import pytest

from replication.sender import LinkState
from runtime.cold_start import ColdStart
from tests.unit.replication.raw_peer import RawPeer, http, raw_peer, until
from tests.unit.replication.test_links import Peer, meet, play, served


def cold() -> ColdStart:
    return ColdStart(1e6)


def test_a_node_that_joins_a_node_that_lacks_nothing_is_filled() -> None:
    async def scene() -> None:
        old, new = Peer("a"), Peer("b", cold=cold())
        old.add("r", now=monotonic())
        async with served(old, new):
            old.links.start()
            old.replica.joined = True
            assert new.cold.seconds()
            meet(old, new)
            await until(lambda: new.replica.joined)
            assert not new.cold.seconds()
            assert new.live() == {"r"}

    play(scene())


def test_nodes_that_all_began_with_nothing_do_not_fill_each_other() -> None:
    async def scene() -> None:
        peers = [Peer(name, cold=cold()) for name in "abc"]
        async with served(*peers):
            meet(*peers)
            await until(lambda: all(peer.replica.joined for peer in peers))
            a, b, _ = peers
            a.add("r", now=monotonic())
            await until(lambda: all(peer.live() == {"r"} for peer in peers))
            for link in b.links.links():  # and a whole pull, as after a gap or by hand
                await until(lambda link=link: link.sender.state is LinkState.CONNECTED)  # type: ignore[misc]
                await b.rest()
                before = b.links.anti_entropy.work
                assert b.links.resync(link.name)
                await until(lambda before=before: b.links.anti_entropy.work is not before)  # type: ignore[misc]
                await b.rest()
                assert not b.links.anti_entropy.asked
            assert all(peer.cold.seconds() for peer in peers)

    play(scene())


def test_a_cold_node_is_filled_by_the_first_sweep_that_finds_one_that_lacks_nothing() -> None:
    async def scene() -> None:
        full, one, two = Peer("a"), Peer("b", cold=cold(), join_seconds=0.05), Peer("c", cold=cold(), join_seconds=0.05)
        full.add("r", now=monotonic())
        async with served(full, one, two):
            meet(one, two)
            await until(lambda: one.replica.joined and two.replica.joined)
            assert one.cold.seconds()
            assert two.cold.seconds()
            full.replica.joined = True
            meet(full, one, two)

            def filled() -> bool:
                one.links.sweep()
                two.links.sweep()
                return not one.cold.seconds() and not two.cold.seconds()

            await until(filled)
            assert one.live() == two.live() == {"r"}

    play(scene())


def test_a_node_that_joins_prefers_one_that_lacks_nothing_to_a_cold_one_that_is_further_ahead() -> None:
    async def scene() -> None:
        full, ahead, new = Peer("a"), Peer("b", cold=cold()), Peer("c", cold=cold())
        full.add("r", now=monotonic())
        for number in range(10):
            ahead.add(f"s{number}", now=monotonic())
        async with served(full, ahead, new):
            full.replica.joined = ahead.replica.joined = True
            new.links.set_peers([("127.0.0.1", peer.server.port) for peer in (full, ahead)])
            new.links.start()
            await until(lambda: new.replica.joined)
            assert not new.cold.seconds()
            assert "r" in new.live()

    play(scene())


@pytest.mark.parametrize("status", [404, 403])
def test_a_peer_that_gives_nothing_fills_no_node(status: int) -> None:
    async def scene() -> None:
        async with raw_peer(lambda line, body: http(status)) as peer:
            await joins(peer)

    async def joins(peer: RawPeer) -> None:
        node = Peer("a", cold=cold(), join_seconds=0.05)
        node.links.set_peers([("127.0.0.1", peer.port)])
        node.links.start()
        await until(lambda: node.replica.joined)
        assert node.cold.seconds()
        await node.links.stop()

    play(scene())


def doubts(peer: Peer) -> bool:
    """Whether the node still doubts what it restored. A request with an owner is one that it could."""
    bucket = next(
        place
        for place in range(1024)
        if any(copy.request_id == "owned" for copy in peer.ledger.replica.copies(place, monotonic()))
    )
    return bool(peer.ledger.resuming.doubted(bucket, monotonic()))


def restore(peer: Peer) -> None:
    """Make a node one that went on from what it left, after an end without a stop."""
    peer.links.anti_entropy.restored = True
    peer.ledger.add("owned", "c", "10.0.0.1", 5, monotonic(), 0, "gateway")
    peer.ledger.resuming.doubt({}, monotonic(), everything=True)
    assert doubts(peer)


def test_nodes_that_all_went_on_from_what_they_left_lack_nothing_once_they_have_met() -> None:
    async def scene() -> None:
        peers = [Peer(name, cold=cold()) for name in "ab"]
        for peer in peers:
            restore(peer)
        async with served(*peers):
            meet(*peers)
            await until(lambda: not any(peer.cold.seconds() for peer in peers))
            assert all(peer.replica.joined for peer in peers)
            assert any(doubts(peer) for peer in peers)  # nobody has lived on

    play(scene())


def test_a_node_that_lived_on_takes_the_doubt_from_one_that_did_not() -> None:
    async def scene() -> None:
        old, new = Peer("a"), Peer("b", cold=cold())
        old.ledger.add("owned", "c", "10.0.0.1", 5, monotonic(), 0, "gateway")
        restore(new)
        async with served(old, new):
            old.links.start()
            old.replica.joined = True
            meet(old, new)
            await until(lambda: new.replica.joined)
            assert not new.cold.seconds()
            assert not doubts(new)

    play(scene())


def test_a_node_that_went_on_from_what_it_left_and_finds_no_peers_lacks_nothing() -> None:
    async def scene() -> None:
        node = Peer("a", cold=cold())
        restore(node)
        node.links.set_peers([])
        node.links.start()
        await until(lambda: node.replica.joined)
        assert not node.cold.seconds()
        assert doubts(node)
        await node.links.stop()

    play(scene())


def test_a_node_that_went_on_from_what_it_left_and_cannot_join_its_peers_is_cold() -> None:
    async def scene() -> None:
        async with raw_peer(lambda line, body: http(403)) as peer:
            node = Peer("a", cold=cold(), join_seconds=0.05)
            restore(node)
            node.links.set_peers([("127.0.0.1", peer.port)])
            node.links.start()
            await until(lambda: node.replica.joined)
            assert node.cold.seconds()
            await node.links.stop()

    play(scene())

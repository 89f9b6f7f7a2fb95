# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Pulling everything from a peer by hand."""

from __future__ import annotations

import logging

import pytest

from loadstats.ledger import Added
from tests.unit.replication.raw_peer import until
from tests.unit.replication.test_links import Peer, meet, play, served


def whole_pulls(caplog: pytest.LogCaptureFixture) -> int:
    return sum("pulled everything" in message for message in caplog.messages)


def test_everything_is_pulled_from_the_peer_that_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scene() -> None:
        one, two = Peer("a"), Peer("b")
        async with served(one, two):
            meet(one, two)
            await until(lambda: one.replica.joined and two.replica.joined)
            (link,) = one.links.links()
            await until(lambda: link.sender.state == "connected")
            await one.rest()
            # Known to nobody else, and told to nobody: only a pull brings it.
            two.ledger.replica.apply([Added("r", "c", "10.0.0.1", 1)], two.ledger.replica.origin("c@1"), 1, 0.0, 0)
            before = whole_pulls(caplog)
            assert one.links.resync(link.name)

            def pulled() -> bool:
                one.links.sweep()  # at once where nothing else is pulled just then, else by the next sweep
                return whole_pulls(caplog) > before

            await until(pulled)
            assert one.ledger.find("r") is not None

    play(scene())


def test_nothing_is_pulled_from_whom_nobody_knows() -> None:
    async def scene() -> None:
        one, two = Peer("a"), Peer("b")
        async with served(one, two):
            meet(one, two)
            await until(lambda: one.replica.joined)
            assert not one.links.resync("10.9.9.9:1")

    play(scene())


def test_a_lost_peer_is_pulled_from_when_it_is_back_and_not_when_it_is_no_peer_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def scene() -> None:
        one, two = Peer("a"), Peer("b")
        async with served(one, two):
            meet(one, two)
            await until(lambda: one.replica.joined and two.replica.joined)
            (link,) = one.links.links()
            work = one.links.anti_entropy.work
            await until(lambda: work is not None and work.done() and link.sender.state == "connected")
            link.sender.failed("cut", 1e12)
            before = whole_pulls(caplog)
            assert one.links.resync(link.name)
            await until(lambda: bool(one.links.anti_entropy.asked))
            assert whole_pulls(caplog) == before
            one.links.set_peers([])
            await until(lambda: not one.links.anti_entropy.asked)

    play(scene())

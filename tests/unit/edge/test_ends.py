# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A client that ends thousands of connections at once costs each turn of the loop a few of them."""

from __future__ import annotations

import asyncio

import pytest

from edge.ends import MOST, Ends
from tests.unit.edge.lanes import Server
from tests.unit.edge.test_websocket import Application, handshake


class Connection:
    """Says whether it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_few_are_closed_at_once_and_a_few_in_each_turn() -> None:
    async def run() -> None:
        ends = Ends()
        for _ in range(2):  # and it begins anew
            connections = [Connection() for _ in range(5 * MOST)]
            waits = [ends.wait(each) for each in connections]
            assert waits == [False] * MOST + [True] * (4 * MOST)
            for turn in range(1, 5):
                assert len(ends) == (5 - turn) * MOST
                assert not any(each.closed for each in connections[turn * MOST :])
                await asyncio.sleep(0)
                assert all(each.closed == 1 for each in connections[MOST : (turn + 1) * MOST])
                late = Connection()
                assert ends.wait(late)  # this turn's room is taken by those that waited
                assert ends._waiting.pop() is late
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(run())


@pytest.mark.parametrize("first", [b"", handshake()], ids=["lanes", "websockets"])
def test_connections_that_end_together_are_closed_a_few_in_each_turn(first: bytes) -> None:
    async def run() -> None:
        application = Application()
        application.accepts.set()
        server = Server(application)
        opened = [server.connect() for _ in range(3 * MOST)]
        if first:
            for lane, _ in opened:
                lane.data_received(first)
            await server.settle()
        protocols = [transport.protocol or lane for lane, transport in opened]
        stay = [each.eof_received() for each in protocols]
        assert stay == [False] * MOST + [True] * (2 * MOST)
        for closed in (2 * MOST, 3 * MOST):
            await asyncio.sleep(0)
            assert [transport.closing for _, transport in opened[MOST:]].count(True) == closed - MOST
        for each in protocols:
            each.connection_lost(None)
        await server.settle()
        assert not server.state.connections

    asyncio.run(run())

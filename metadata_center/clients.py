# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handler of `GET /v1/node/clients`: the largest clients, for operators who look for the one that takes too much.

Called on the event loop or on Django's threads; reads plain numbers.
"""

from __future__ import annotations

from heapq import nlargest
from operator import attrgetter

import msgspec

from edge.call import Call, Route
from edge.caller import Scope
from edge.quotas import Quotas

MOST = 20  # of each kind


class ClientRow(msgspec.Struct, frozen=True):
    """One client that holds a connection, or did a moment ago.

    `client`: its key's name, or its address; of IPv6 the /64 network.
    `connections`, `waits`, `sockets`, `pages`: what it holds now.
    `calls`: since it connected, all connections together.
    `refused_calls`: of these, beyond its limit.
    """

    client: str
    connections: int
    calls: int
    refused_calls: int
    waits: int
    sockets: int
    pages: int


class ClientHandlers:
    """Handlers over one node's quotas."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (Route("GET", "/v1/node/clients", self.largest, scope=Scope.OPERATE),)

    def largest(self, call: Call) -> bytes:
        """`GET /v1/node/clients`: the clients with most connections, calls, refused calls or other places."""
        quotas = self._quotas
        accounts = {account.client: account for account in quotas.accounts()}
        names = {name for places in quotas.kinds() for name, _ in places.largest(MOST)}
        for rank in (attrgetter("calls"), attrgetter("refused")):
            names.update(account.client for account in nlargest(MOST, accounts.values(), key=rank))
        rows = []
        for name in names:
            account = accounts.get(name)
            pages = sum(each.held(name) for each in (quotas.pages, quotas.scrapes, quotas.log_ins))
            calls, refused = (0, 0) if account is None else (account.calls, account.refused)
            held = quotas.connections.held(name)
            rows.append(
                ClientRow(name, held, calls, refused, quotas.waits.held(name), quotas.sockets.held(name), pages)
            )
        rows.sort(key=lambda row: (-row.refused_calls, -row.calls, -row.connections, row.client))
        return msgspec.json.encode(rows)

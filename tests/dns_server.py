# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The local DNS server with manners that can be changed while it runs, and a book of the queries that came.

    with DnsServer() as server:
        server.publish("peers.test", "A", "127.0.0.2", "127.0.0.3", ttl=1)
        server.behave(Fault.SERVFAIL)

It answers on a thread of its own; any thread may change or ask it. The server's lock holds manners and book too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from enum import Enum
from itertools import cycle
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from dns.rdatatype import RdataType

from discovery.local_dns import LocalDns


class Fault(Enum):
    """How a query is treated. `TRUNCATED` answers in full over TCP only, as an answer that is too long does."""

    NONE = "none"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    NXDOMAIN = "nxdomain"
    EMPTY = "empty"
    SILENT = "silent"
    TRUNCATED = "truncated"


_RCODES = {
    Fault.SERVFAIL: dns.rcode.SERVFAIL,
    Fault.REFUSED: dns.rcode.REFUSED,
    Fault.NXDOMAIN: dns.rcode.NXDOMAIN,
}


class Query(NamedTuple):
    """One that came: its name without the last dot, its type as text."""

    name: str
    type: str
    tcp: bool


class DnsServer(LocalDns):
    """Without `tcp`, connections are refused, as where a firewall lets only datagrams through."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, tcp: bool = True) -> None:
        super().__init__(address, port)
        self.tcp = tcp
        self._manners: dict[RdataType | None, Iterator[Fault]] = {}
        self._queries: deque[Query] = deque(maxlen=10_000)

    def behave(self, *manners: Fault, type_: str | None = None) -> None:
        """Treat queries, those of one type or all others, this way: one fault for ever, several in turn, round and
        round (`behave(Fault.NONE, Fault.SERVFAIL)` flaps), none at all as a server should.
        """
        with self._lock:
            self._manners[dns.rdatatype.from_text(type_) if type_ else None] = cycle(manners or (Fault.NONE,))

    def queries(self) -> list[Query]:
        """All since the start or the last `forget`, oldest first."""
        with self._lock:
            return list(self._queries)

    def forget(self) -> None:
        """Forget the queries so far."""
        with self._lock:
            self._queries.clear()

    def _listening(self, server: asyncio.Server) -> None:
        if not self.tcp:
            server.close()

    def _answer(self, query: dns.message.Message, *, tcp: bool) -> dns.message.Message | None:
        name, type_ = query.question[0].name, query.question[0].rdtype
        self._queries.append(Query(name.to_text(omit_final_dot=True), dns.rdatatype.to_text(type_), tcp))
        manners = self._manners.get(type_) or self._manners.get(None)
        fault = next(manners) if manners else Fault.NONE
        if fault is Fault.SILENT:
            return None
        if fault is Fault.NONE or (fault is Fault.TRUNCATED and tcp):
            return super()._answer(query, tcp=tcp)
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        if fault in _RCODES:
            response.set_rcode(_RCODES[fault])
        elif fault is Fault.TRUNCATED:
            response.flags |= dns.flags.TC
        return response

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real DNS server on loopback, UDP and TCP, whose records and manners can be changed while it runs.

    with DnsServer() as server:
        server.publish("peers.test", "A", "127.0.0.2", "127.0.0.3", ttl=1)
        server.behave(Fault.SERVFAIL)

It answers on a thread of its own; any thread may change or ask it. One lock holds records, manners and the book of
queries.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Iterator
from enum import Enum
from itertools import cycle
from threading import Event, Lock, Thread
from types import TracebackType
from typing import NamedTuple, Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

SECONDS = 10.0
_MAX_CHAIN = 8


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


class DnsServer:
    """Port 0 takes a free one, the same for UDP and TCP. May be started again after a stop, on the same port.

    Without `tcp`, connections are refused, as where a firewall lets only datagrams through.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, tcp: bool = True) -> None:
        self.address = address
        self.port = port
        self.tcp = tcp
        self.glue = True  # an SRV answer brings its targets' addresses along
        self._lock = Lock()
        self._records: dict[tuple[dns.name.Name, RdataType], dns.rrset.RRset] = {}
        self._manners: dict[RdataType | None, Iterator[Fault]] = {}
        self._queries: deque[Query] = deque(maxlen=10_000)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def endpoint(self) -> str:
        """As `[Discovery] Nameservers` takes it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def publish(self, name: str, type_: str, *values: str, ttl: int = 0) -> None:
        """Replace the records of a name and type: addresses for A and AAAA, `0 0 8080 node.test.` for SRV."""
        rrset = dns.rrset.from_text(dns.name.from_text(name), ttl, "IN", type_, *values)
        with self._lock:
            self._records[rrset.name, rrset.rdtype] = rrset

    def withdraw(self, name: str) -> None:
        """Take away all records of a name."""
        owner = dns.name.from_text(name)
        with self._lock:
            self._records = {key: rrset for key, rrset in self._records.items() if key[0] != owner}

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

    def start(self) -> None:
        """Listen and answer. Raises OSError where the port is taken."""
        udp, tcp = self._bind()
        self.port = udp.getsockname()[1]
        started = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, args=(self._loop, udp, tcp, started), name="dns-server", daemon=True)
        self._thread.start()
        if not started.wait(SECONDS):
            raise TimeoutError("the DNS server did not start")

    def stop(self) -> None:
        """End; does nothing where it is not running."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> tuple[socket.socket, socket.socket]:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        for _ in range(20):  # the port that is free for TCP may be taken for UDP
            tcp = socket.create_server((self.address, self.port), family=family)
            udp = socket.socket(family, socket.SOCK_DGRAM)
            try:
                udp.bind((self.address, tcp.getsockname()[1]))
            except OSError as error:
                tcp.close()
                udp.close()
                if self.port or error.errno != errno.EADDRINUSE:
                    raise
            else:
                return udp, tcp
        raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")

    def _run(self, loop: asyncio.AbstractEventLoop, udp: socket.socket, tcp: socket.socket, started: Event) -> None:
        asyncio.set_event_loop(loop)
        transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp))
        server = loop.run_until_complete(asyncio.start_server(self._talk, sock=tcp))
        if not self.tcp:
            server.close()
        loop.call_soon(started.set)
        loop.run_forever()
        transport.close()
        server.close()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))  # transports close on the next turn
        loop.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2))
                if reply := self.reply(await reader.readexactly(length), tcp=True):
                    writer.write(len(reply).to_bytes(2) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer to a query in wire form, None for silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        with self._lock:
            return self._answer(query, tcp)

    def _answer(self, query: dns.message.Message, tcp: bool) -> bytes | None:
        question = query.question[0]
        name, type_ = question.name, question.rdtype
        self._queries.append(Query(name.to_text(omit_final_dot=True), dns.rdatatype.to_text(type_), tcp))
        manners = self._manners.get(type_) or self._manners.get(None)
        fault = next(manners) if manners else Fault.NONE
        if fault is Fault.SILENT:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        if fault in _RCODES:
            response.set_rcode(_RCODES[fault])
        elif fault is Fault.TRUNCATED and not tcp:
            response.flags |= dns.flags.TC
        elif fault is not Fault.EMPTY:
            self._fill(response, name, type_)
        size = 65535 if tcp else max(512, query.payload if query.edns >= 0 else 0)
        return response.to_wire(max_size=size, prefer_truncation=True)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, type_: RdataType) -> None:
        for _ in range(_MAX_CHAIN):
            if (name, type_) in self._records:
                found = self._records[name, type_]
                response.answer.append(found)
                if type_ is RdataType.SRV and self.glue:
                    response.additional += self._addresses({record.target for record in found})
                return
            alias = self._records.get((name, RdataType.CNAME))
            if alias is None:
                break
            response.answer.append(alias)
            name = alias[0].target
        if not any(owner.is_subdomain(name) for owner, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)

    def _addresses(self, names: set[dns.name.Name]) -> list[dns.rrset.RRset]:
        types = {RdataType.A, RdataType.AAAA}
        return [rrset for (owner, type_), rrset in self._records.items() if owner in names and type_ in types]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if reply := self._server.reply(data, tcp=False):
            self._transport.sendto(reply, addr)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A small authoritative DNS server, UDP and TCP, for nodes on one machine: in development and in tests.

    with LocalDns() as server:
        server.publish("peers.test", "A", "127.0.0.1", "127.0.0.2", ttl=1)

It answers on a thread and an event loop of its own. Any thread may publish and withdraw; one lock guards the records.
Always holds: a query has one question. Anything else is dropped without an answer.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

START_SECONDS = 60.0
# Between two queries of a TCP connection.
IDLE_SECONDS = 10.0
# Names that lead to other names.
MAX_CHAIN = 8


class LocalDns:
    """The server. Port 0 takes a free one, the same for UDP and TCP. After a stop it may start again on its port.

    `address`, `port`: where it listens.
    `glue`: whether an SRV answer brings its targets' addresses.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address = address
        self.port = port
        self.glue = True
        self._lock = Lock()
        self._records: dict[tuple[dns.name.Name, RdataType], dns.rrset.RRset] = {}
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

    def start(self) -> None:
        """Listen and answer. Raises OSError if the port is taken."""
        udp, tcp = self._bind()
        self.port = udp.getsockname()[1]
        started = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, args=(self._loop, udp, tcp, started), name="local-dns", daemon=True)
        self._thread.start()
        if not started.wait(START_SECONDS):
            raise TimeoutError("the DNS server did not start")

    def stop(self) -> None:
        """Stop. Does nothing if it is not running."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Return the answer to a query, both in wire form, or None to send nothing."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR or query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            return None
        with self._lock:
            response = self._answer(query, tcp=tcp)
        if response is None:
            return None
        size = 65535 if tcp else max(512, query.payload if query.edns >= 0 else 0)
        return response.to_wire(max_size=size, prefer_truncation=True)

    def _answer(self, query: dns.message.Message, *, tcp: bool) -> dns.message.Message | None:
        """Return the answer. The caller holds the lock."""
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        self._fill(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: dns.name.Name, type_: RdataType) -> None:
        for _ in range(MAX_CHAIN):
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
        self._listening(server)
        loop.call_soon(started.set)
        loop.run_forever()
        transport.close()
        server.close()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))  # transports close on the next turn
        loop.close()

    def _listening(self, server: asyncio.Server) -> None:
        """Called when the server begins to take connections; for subclasses."""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    length = int.from_bytes(await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                    if reply := self.reply(wire, tcp=True):
                        writer.write(len(reply).to_bytes(2) + reply)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: LocalDns) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if reply := self._server.reply(data, tcp=False):
            self._transport.sendto(reply, addr)

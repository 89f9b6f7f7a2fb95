# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The profiling port: the standard library's threading server, on daemon threads of its own.

Independent of the node's loop, so that it can show a loop that is stuck. The composition root calls `start` and `stop`,
from one thread.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, cast

from runtime.profiling.cpu import CpuSampler
from runtime.profiling.endpoints import INDEX, Endpoints
from runtime.profiling.heap import HeapTracer
from runtime.profiling.request import Guard, ProfilingRequest
from runtime.profiling.threads import ThreadDump
from runtime.tls import Renewed

# One CPU profile, one heap window, and a few quick requests.
_MAX_CONNECTIONS = 8
# How long `stop` waits for answers to go out; daemon threads end with the process anyway.
_STOP_SECONDS = 2.0
# How often the accepting thread looks whether it should end. `stop` waits for it at most this long.
_POLL_SECONDS = 0.1

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 27\r\n"
    b"Connection: close\r\nRetry-After: 1\r\n\r\ntoo many requests at a time"
)

_logger = logging.getLogger(__name__)


class _Listener(ThreadingMixIn, TCPServer):
    """Accepts at most so many connections at a time, and keeps those that are open."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self, host: str, port: int, handler: Any, max_connections: int, tls: Renewed | None, read_seconds: float
    ) -> None:
        # Raises OSError for a name that does not resolve, as binding does for a port in use.
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._max_connections = max_connections
        self._tls = tls
        self._read_seconds = read_seconds
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(cast("tuple[str, int]", address), handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._changed:
            if len(self._open) < self._max_connections:
                self._open.add(request)
                return True
        with suppress(OSError):
            request.setblocking(False)
            if self._tls is None:
                request.sendall(_BUSY)
        return False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer one request, on its own thread. Raises OSError where no TLS can be agreed on in time."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(self._read_seconds)
        # A second descriptor of the same connection: the first is the one that is kept in the set, and closed.
        with self._tls.context.wrap_socket(request.dup(), server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """End idle connections. Wait at most so many seconds for answers to be written."""
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
            self._changed.wait_for(lambda: not self._open, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error. A client that disconnects is logged for debugging only."""
        error = sys.exception()
        if isinstance(error, OSError):
            _logger.debug("%s went away: %s", client_address, error)
        else:
            _logger.error("a request on the profiling port failed", exc_info=error)


class ProfilingServer:
    """Serves profiles on `host`:`port`. Port 0 takes a free one. Viewers show `program` as the process's name.

    `guard` decides who is let in.
    `tls`: makes connections TLS; None: they are not.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        guard: Guard = lambda target, fields, client: None,
        program: str = "metadata-center",
        read_seconds: float = 5.0,
        max_connections: int = _MAX_CONNECTIONS,
        tls: Renewed | None = None,
    ) -> None:
        self._tls = tls
        self._host = host
        self._port = port
        self._guard = guard
        self._program = program
        self._read_seconds = read_seconds
        self._max_connections = max_connections
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start to serve. Raises OSError if the address can't be bound."""
        endpoints = Endpoints(
            cpu=CpuSampler(program=self._program),
            heap=HeapTracer(program=self._program),
            threads=ThreadDump(program=self._program),
        )
        self._stopping.clear()
        handler = partial(ProfilingRequest, endpoints, self._guard, self._stopping, self._read_seconds)
        self._listener = _Listener(
            self._host, self._port, handler, self._max_connections, self._tls, self._read_seconds
        )
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_POLL_SECONDS,), name="profiling", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop, within about two seconds, and close the port. A profile that runs answers with what it has."""
        listener, thread = self._listener, self._thread
        if listener is None or thread is None:
            return
        self._listener = self._thread = None
        self._stopping.set()
        listener.shutdown()
        thread.join()
        listener.server_close()
        listener.drain(_STOP_SECONDS)

    @property
    def port(self) -> int:
        """The port that is bound while it runs, else the configured one."""
        return self._port if self._listener is None else int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """The index page's address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{INDEX}"

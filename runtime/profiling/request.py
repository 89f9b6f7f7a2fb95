# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One request on the profiling port. It is read within limits and answered once, then the connection is closed.

Each request has a thread, which the listener makes. Errors are one line of plain text.
"""

from __future__ import annotations

import io
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from runtime.profiling.endpoints import PPROF, TEXT, Endpoints, ProfileRefused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Returns status and reason of a refusal, None to let a request in. It gets the target, the fields and the address.
Guard = Callable[[bytes, Sequence[tuple[bytes, bytes]], str], tuple[int, str] | None]

# How long a client may take to read its answer.
_WRITE_SECONDS = 30.0

_logger = logging.getLogger(__name__)


class _Head(io.RawIOBase):
    """Reads a connection until a deadline. `http.server` bounds the bytes: 64 KiB a line, 100 header lines."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request's head took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class ProfilingRequest(BaseHTTPRequestHandler):
    """Answers one connection while it is constructed, as `socketserver` does it.

    `guard` decides who is let in.
    `read_seconds` is the time limit from the start of the connection to the last byte of the head.
    """

    protocol_version = "HTTP/1.1"

    def __init__(
        self, endpoints: Endpoints, guard: Guard, stopping: Event, read_seconds: float, *connection: Any
    ) -> None:
        self._endpoints = endpoints
        self._guard = guard
        self._stopping = stopping
        self._read_seconds = read_seconds
        super().__init__(*connection)

    def setup(self) -> None:
        super().setup()
        self.rfile.close()  # it has no deadline
        self.rfile = io.BufferedReader(_Head(self.connection, self._read_seconds))

    def do_GET(self) -> None:
        try:
            status, headers, body = self._answer()
        except ProfileRefused as refused:
            status, headers, body = refused.status, {"Content-Type": TEXT}, f"{refused.reason}\n".encode()
        except Exception:
            _logger.exception("%r failed", self.requestline)
            status, headers, body = 500, {"Content-Type": TEXT}, b"failed; the log says why\n"
        self._send(status, headers, body)

    def do_HEAD(self) -> None:
        """Check path and parameters. Nothing is measured, so the length is not known."""
        self.do_GET()

    def _answer(self) -> tuple[int, dict[str, str], bytes | None]:
        """Return status, headers and body; for HEAD the body is None."""
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        refusal = self._guard(self.path.encode("latin-1"), fields, self.client_address[0])
        if refusal is not None:
            raise ProfileRefused(*refusal)
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            raise ProfileRefused(413, "a request here has no body")
        try:
            url = urlsplit(self.path)
            query = parse_qs(url.query, keep_blank_values=True, max_num_fields=16)
        except ValueError as error:
            raise ProfileRefused(400, f"bad address: {error}") from error
        endpoint = self._endpoints.find(url.path)
        job = endpoint.prepare({name: values[0] for name, values in query.items()})
        headers = {"Content-Type": job.content_type}
        if job.content_type == PPROF:
            headers["Content-Disposition"] = f'attachment; filename="{endpoint.filename}"'
        return 200, headers, None if self.command == "HEAD" else job.run(self._pause)

    def _pause(self, seconds: float) -> bool:
        """Wait. Returns False if the server stops or the client has disconnected."""
        return not self._stopping.wait(seconds) and not self._gone()

    def _gone(self) -> bool:
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def version_string(self) -> str:
        return "metadata-center"

    def _send(self, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
        self.connection.settimeout(_WRITE_SECONDS)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None and self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what `http.server` itself refuses: a bad or too large head, a method without a `do_`."""
        headers = {"Content-Type": TEXT}
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message = HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD"
            headers["Allow"] = "GET, HEAD"
        self.request_version = self.protocol_version  # else a line that could not be read counts as HTTP/0.9
        self._send(code, headers, f"{(message or HTTPStatus(code).phrase)[:200]}\n".encode(errors="replace"))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        _logger.info("%s %r %s", self.client_address[0], self.requestline[:200], int(code))

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 the name is http.server's
        _logger.debug(format, *args)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One kept HTTP/1.1 connection to a peer, one request at a time. Runs on the event loop.

Own code because it is the other half of the hot path: a push of 2 KB costs 24 µs of CPU here and 127 µs with aiohttp,
and at 10,000 events/s there are 250 of them a second for each peer.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import cast

import httptools

from edge.credentials import is_named
from edge.envelope import COLD_HEADER
from replication.paths import HELLO, UNKNOWN_PATH
from replication.secret import Proofs, Secret
from runtime.tls import Renewed, names

_COLD = COLD_HEADER.lower()
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class BadAnswer(Exception):
    """The peer's bytes are no HTTP answer, or too many."""


class WrongName(ConnectionError):
    """The peer's certificate is good and has none of the names that a peer's has."""


class _Answers(asyncio.Protocol):
    """Reads answers off the connection and gives each to the request that waits for it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: Future[tuple[int, bytes]] | None = None
        self.keep_alive = True
        self.cold = False
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BadAnswer(f"no HTTP answer: {error}"))

    def eof_received(self) -> None:
        self._fail(ConnectionResetError("the peer closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.keep_alive = False
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the connection was lost"))

    def on_message_begin(self) -> None:
        self._body = bytearray()
        self.cold = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == _COLD:
            self.cold = True

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_ANSWER_BYTES:
            self._fail(BadAnswer(f"an answer of more than {MAX_ANSWER_BYTES} bytes"))

    def on_message_complete(self) -> None:
        self.keep_alive = self.keep_alive and self._parser.should_keep_alive()
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result((self._parser.get_status_code(), bytes(self._body)))

    def _fail(self, error: Exception) -> None:
        self.keep_alive = False
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(error)
        if self.transport is not None:
            self.transport.abort()


class Connection:
    """A connection to `address`:`port`. It is opened when first needed, and again after a fault.

    `cold`: whether the last answer said that the peer is cold.

    `secret` is sent over TLS; without TLS it is proved. `peer_names` are names of which a peer's certificate must have
    one; empty: any names.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        dial_seconds: float,
        request_seconds: float,
        headers: bytes = b"",
        tls: Renewed | None = None,
        peer_names: tuple[str, ...] = (),
        secret: Secret | None = None,
    ) -> None:
        self._address = address
        self._port = port
        self._dial_seconds = dial_seconds
        self._request_seconds = request_seconds
        host = f"[{address}]" if ":" in address else address
        self._name = f"{host}:{port}"
        self._head = f"Host: {self._name}\r\n".encode() + headers
        self._tls = tls
        self._peer_names = peer_names
        self._secret = secret or None
        self._proofs: Proofs | None = None  # None: the peer knows none, or has not been asked yet
        self._answers: _Answers | None = None
        self.cold = False

    def keep_secret(self) -> None:
        """Neither send nor prove the secret on this connection."""
        self._secret = None

    async def ask(self, method: str, path: str, body: bytes = b"", headers: bytes = b"") -> tuple[int, bytes]:
        """Return status and body of the answer. Raises OSError or BadAnswer; the connection is gone then."""
        try:
            answers = await self._open()
            if self._secret is not None:
                headers += self._show(self._secret, path.encode(), body)
            answer = await self._exchange(answers, method, path, body, headers)
        except BaseException:
            self.close()
            raise
        self.cold = answers.cold
        if not answers.keep_alive:
            self.close()
        return answer

    def close(self) -> None:
        """Drop the connection."""
        if self._answers is not None and self._answers.transport is not None:
            self._answers.transport.abort()
        self._answers = None

    async def _exchange(
        self, answers: _Answers, method: str, path: str, body: bytes, headers: bytes = b""
    ) -> tuple[int, bytes]:
        answers.waiting = asyncio.get_running_loop().create_future()
        assert answers.transport is not None
        answers.transport.write(
            b"%b %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b"
            % (method.encode(), path.encode(), self._head, headers, len(body), body)
        )
        try:
            async with asyncio.timeout(self._request_seconds):
                return await answers.waiting
        except TimeoutError:
            raise TimeoutError(f"no answer for {self._request_seconds:g} s") from None

    async def _open(self) -> _Answers:
        answers = self._answers
        if answers is not None and answers.keep_alive:
            return answers
        answers = await self._dial()
        if self._secret is not None and self._tls is None:
            await self._begin_proofs(answers, self._secret)
            if not answers.keep_alive:
                answers = await self._dial()
                if self._proofs is not None:
                    raise BadAnswer("it closed the connection that it was to be proved on")
        return answers

    async def _dial(self) -> _Answers:
        self.close()
        loop = asyncio.get_running_loop()
        context = self._tls.context if self._tls is not None else None
        try:
            async with asyncio.timeout(self._dial_seconds):
                _, answers = await loop.create_connection(_Answers, self._address, self._port, ssl=context)
        except TimeoutError as error:
            if error.errno is not None:
                raise  # the system's own, which knows more
            raise TimeoutError(f"no connection within {self._dial_seconds:g} s") from None
        self._answers = answers
        if context is not None:
            self._check_names(answers)
        return answers

    def _check_names(self, answers: _Answers) -> None:
        """Raise WrongName if the peer's certificate has none of the names that make a peer."""
        assert answers.transport is not None
        found = names(answers.transport.get_extra_info("peercert"))
        if not is_named(found, self._peer_names):
            raise WrongName(f"its certificate is of {', '.join(found) or 'no name'}: not in [Replication] PeerNames")

    async def _begin_proofs(self, answers: _Answers, secret: Secret) -> None:
        """Ask for what the proofs on this connection are made with. A peer of the release before does not know it."""
        self._proofs = None
        status, answer = await self._exchange(answers, "POST", HELLO, secret.hello)
        if status == 200:
            self._proofs = secret.proofs(answer)
        elif status not in UNKNOWN_PATH:
            raise BadAnswer(f"it answered {status} to {HELLO}")

    def _show(self, secret: Secret, path: bytes, body: bytes) -> bytes:
        """Return the header line by which the peer sees that this node knows the secret, or nothing."""
        if self._tls is not None:
            return secret.header
        if self._proofs is not None:
            return self._proofs.header(path, body)
        return secret.header if secret.may_be_sent(self._name) else b""

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes a listener's connections: a few in each turn of the loop, each counted on its client before it costs anything.

asyncio's own server takes all that wait in one turn, 2,048 of them for 100 ms, and shows a connection only once its TLS
handshake is over. Here a handshake counts, also one that waits for its turn (`edge/handshakes.py`), and a client that
has its most costs an `accept` and a `close`.

With TLS each connection gets the context that is there when it comes, so a renewed certificate disturbs none.

Owned by the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter_ns
from typing import Any, Protocol, cast

from edge.account import Account
from edge.handshakes import Handshakes, PendingHandshake
from edge.quotas import Quotas
from runtime.tls import Renewed

logger = logging.getLogger("edge.acceptor")

SHARE_NS = 1_000_000  # of a turn
MOST = 16  # in a turn: one takes 0.1 ms in all
REST_SECONDS = 0.5  # without files or memory for another connection
LAST_WORDS = 32  # refused connections that are kept open for a moment, so that their clients can read why
LAST_WORDS_NS = 1_000_000_000


class Accepted(Protocol):
    """A connection's protocol. It gives its place back when it is lost.

    `transport`: None until the handshake is over.
    """

    transport: Any


class Acceptor:
    """One listener. It looks like asyncio's server to uvicorn: `close` and `wait_closed`.

    `listener`: listens already; its owner closes it.
    `make`: returns the protocol of a connection on this account.
    `quotas`: what clients may.
    `refusal`: returns the answer for a client that has its most connections. It is sent to some of those refused, and
        not over TLS.
    `tls`: what connections are encrypted with; None: they are not.
    `handshakes`: begins, counts and bounds the handshakes.
    `handshake_seconds`: for a TLS handshake.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[Account], Accepted],
        quotas: Quotas,
        *,
        refusal: Callable[[str], bytes],
        tls: Renewed | None = None,
        handshakes: Handshakes | None = None,
        handshake_seconds: float = 10.0,
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self._listener = listener
        self._make = make
        self._quotas = quotas
        self._refusal = refusal
        self._tls = tls
        self._handshakes = Handshakes() if handshakes is None else handshakes
        self._handshake_seconds = handshake_seconds
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._refused: deque[tuple[int, socket.socket]] = deque()  # until when each stays open
        self._rest: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take connections from now on."""
        self._loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener.fileno(), self._take_some)

    def close(self) -> None:
        """Take no more. Handshakes under way end."""
        if self._loop is None:
            return
        self._loop.remove_reader(self._listener.fileno())
        self._loop = None
        if self._rest is not None:
            self._rest.cancel()
        for task in self._opening:
            task.cancel()
        self._handshakes.close()
        while self._refused:
            self._refused.popleft()[1].close()

    async def wait_closed(self) -> None:
        """Return when nothing is under way any more."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def sweep(self) -> None:
        """Close what was refused a moment ago."""
        now_ns = self._clock()
        while self._refused and self._refused[0][0] <= now_ns:
            self._refused.popleft()[1].close()

    def _take_some(self) -> None:
        """Take as many of the waiting connections as one turn has time for."""
        loop = self._loop
        if loop is None:
            return
        tls = self._tls
        ends = self._clock() + SHARE_NS
        for _ in range(MOST):
            try:
                connection, name = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._take_a_rest(loop, error)
                return
            address = name[0] if name else ""
            account = self._quotas.admit(address)
            if account is None:
                self._turn_away(connection, address, polite=tls is None)
            else:
                connection.setblocking(False)
                if tls is None:
                    self._open(loop, connection, account)
                else:
                    begin = partial(self._open, loop, connection, account, tls)
                    drop = partial(self._drop, connection, account)
                    self._handshakes.add(account.client, PendingHandshake(begin, drop))
            if self._clock() >= ends:
                return

    def _open(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        account: Account,
        tls: Renewed | None = None,
    ) -> asyncio.Task[None]:
        """Begin to make a connection a protocol's, which gives the place back in the end."""
        accepted = self._make(account)
        if tls is None:
            work = self._connect(loop, connection, accepted)
        else:
            work = self._encrypt(loop, connection, accepted, tls.context, account.client)
        task = loop.create_task(work)
        self._opening.add(task)
        task.add_done_callback(partial(self._opened, accepted, account, connection))
        return task

    def _opened(
        self, accepted: Accepted, account: Account, connection: socket.socket, task: asyncio.Task[None]
    ) -> None:
        """Note that a connection is its protocol's, or that it is not."""
        self._opening.discard(task)
        if accepted.transport is None:
            self._drop(connection, account)

    def _drop(self, connection: socket.socket, account: Account) -> None:
        """Close a connection that is no protocol's, and give its place back."""
        connection.close()
        self._quotas.leave(account)

    async def _connect(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, accepted: Accepted) -> None:
        """Make a connection a protocol's."""
        with suppress(OSError):
            await loop.connect_accepted_socket(lambda: cast("asyncio.Protocol", accepted), connection)

    async def _encrypt(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        accepted: Accepted,
        context: ssl.SSLContext,
        client: str,
    ) -> None:
        """Agree on encryption. The connection is the protocol's as soon as that is done."""
        work = asyncio.current_task()
        assert work is not None
        seconds = self._handshake_seconds
        fail = partial(self._handshakes.fail, client, work)
        try:
            await loop.connect_accepted_socket(
                lambda: cast("asyncio.Protocol", accepted), connection, ssl=context, ssl_handshake_timeout=seconds
            )
        except ssl.SSLError as error:
            fail("refused", str(error.reason or error).replace("_", " ").lower())
        except (ConnectionAbortedError, TimeoutError):
            fail("late", f"not done within {seconds:g} s")
        except OSError:
            fail("refused", "the client closed the connection")
        else:
            self._handshakes.succeed(client, work)

    def _turn_away(self, connection: socket.socket, address: str, *, polite: bool) -> None:
        """Close a connection beyond its client's most. Now and then its client is answered why."""
        if not polite or len(self._refused) >= LAST_WORDS:
            connection.close()
            return
        connection.setblocking(False)
        try:
            connection.send(self._refusal(address))
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        self._refused.append((self._clock() + LAST_WORDS_NS, connection))

    def _take_a_rest(self, loop: asyncio.AbstractEventLoop, error: OSError) -> None:
        """Take no connections for a while: the process or the machine has no room for one."""
        logger.warning("no room for another connection: %s. The next try is in %g s", error, REST_SECONDS)
        loop.remove_reader(self._listener.fileno())
        self._rest = loop.call_later(REST_SECONDS, loop.add_reader, self._listener.fileno(), self._take_some)

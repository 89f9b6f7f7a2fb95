# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One open connection to a log server: commands go out at once, and replies come in the same order.

Owner: the event loop.
Own code because it is the log's hot path: an entry of 2 KB takes a fifth of the CPU that a general client takes for it.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from typing import Any, Final, cast

import hiredis

from replication.log.server import LogAway, LogError
from replication.log.valkey.fault import away, fault_of

MAX_REPLY_BYTES: Final = 256 * 1024 * 1024
MAX_UNANSWERED: Final = 1024
# After the time is over, what has arrived meanwhile is read first: this process may have stood still itself.
GRACE_SECONDS: Final = 0.05

Word = str | int | bytes


class Wire(asyncio.Protocol):
    """An open connection.

    `open`: whether commands can be sent.

    A server that is silent for `patience_seconds` while a reply is due is given up, and not one whose reply is on its
    way: it may be long. One timer watches for the oldest unanswered command.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.open = False
        self._patience_seconds = patience_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, Future[Any]]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._late: tuple[Future[Any], int] | None = None  # who was over time, and how much had come
        self._unread_bytes = 0
        self._cause = LogAway("the connection was lost")

    @property
    def waits_in_vain(self) -> bool:
        """Whether the oldest command without a reply was cancelled."""
        return bool(self._waiting) and self._waiting[0][1].cancelled()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self.open = True

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._waiting
        self._unread_bytes += len(data)
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self._unread_bytes = 0
                if not waiting and isinstance(reply, hiredis.ReplyError):
                    self.close(fault_of(reply))  # said before anything is asked: it takes no connection
                    return
                _, future = waiting.popleft()
                if future.done():
                    continue  # its caller was cancelled
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(fault_of(reply))
                else:
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            self.close(LogAway("it answered what is not the protocol of Valkey and Redis"))
        if self._unread_bytes > MAX_REPLY_BYTES:
            self.close(LogAway(f"it answered more than {MAX_REPLY_BYTES} bytes at once"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(away(exc) if exc is not None else LogAway("it closed the connection"))

    def send(self, *words: Word, wait_seconds: float = 0.0) -> Future[Any]:
        """Send a command. Returns its reply to be, which may raise a LogError. The reply may be `wait_seconds` later
        than others."""
        future: Future[Any] = self._loop.create_future()
        if not self.open or len(self._waiting) >= MAX_UNANSWERED:
            future.set_exception(LogAway("it answers too slowly") if self.open else self._cause)
            return future
        due = self._loop.time() + self._patience_seconds + wait_seconds
        self._waiting.append((due, future))
        assert self._transport is not None
        self._transport.write(hiredis.pack_command(cast("tuple[Word]", words)))  # typed as if of one word
        if self._watch is None:
            self._watch = self._loop.call_at(due, self._look)
        return future

    def close(self, cause: LogError | None = None) -> None:
        """Drop the connection. Calls that wait for a reply raise the cause."""
        if not self.open:
            return
        self.open = False
        self._cause = LogAway(str(cause) if cause is not None else "the connection was closed")
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(LogAway(str(self._cause)))
        self._waiting.clear()
        assert self._transport is not None
        self._transport.abort()

    def _look(self) -> None:
        """Give the server up if its oldest unanswered command is over time."""
        self._watch = None
        if not self._waiting:
            return
        due, future = self._waiting[0]
        if self._loop.time() < due:
            self._watch = self._loop.call_at(due, self._look)
        else:
            self._look_at(future)

    def _look_at(self, oldest: Future[Any]) -> None:
        """Give the server up if this command was over time at the last look, too, and no more of its reply has come."""
        late = oldest, self._unread_bytes
        if self._late == late:
            self.close(LogAway(f"no answer for {self._patience_seconds:g} s"))
            return
        self._late = late
        wait_seconds = self._patience_seconds if self._unread_bytes else GRACE_SECONDS
        self._watch = self._loop.call_later(wait_seconds, self._look)

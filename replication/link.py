# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One peer on the wire: pushes what its `Sender` says, and carries pulls. Runs on the event loop, in a task of its own.

A peer that knows no better is told events one by one, as the original does (`legacy.py`).
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable
from typing import TypeVar

from msgspec import DecodeError, ValidationError
from msgspec.msgpack import Decoder, Encoder

from replication import paths
from replication.client import BadAnswer, Connection
from replication.legacy import LegacyPeer
from replication.messages import VERSION, Ack, CacheState, CacheWant, State, Summary, Want
from replication.sender import Link, Sender

logger = logging.getLogger("replication")

PROBE_SECONDS = 30.0  # a peer that spoke the old way may have been replaced since
MAX_STATE_BYTES = 64 * 1024 * 1024

AnswerT = TypeVar("AnswerT", Ack, CacheState, State, Summary)

_encode = Encoder().encode
_read_ack = Decoder(Ack).decode
_read_summary = Decoder(Summary).decode
_read_state = Decoder(State).decode
_read_cache = Decoder(CacheState).decode

FAULTS = (OSError, BadAnswer, DecodeError, ValidationError, UnicodeDecodeError, RecursionError, zlib.error)
# What a server answers to a path that it does not know: such a peer is of the original's kind.
UNKNOWN_PATH = frozenset({404, 405, 501})


class Refused(Exception):
    """The peer answered, and not with 200. `old`: it does not know the path."""

    def __init__(self, path: str, status: int) -> None:
        super().__init__(f"{path}: status {status}")
        self.old = status in UNKNOWN_PATH


def _known(message: AnswerT) -> AnswerT:
    """The message, where it is of the version that we speak."""
    if message.version != VERSION:
        raise BadAnswer(f"version {message.version}, expected {VERSION}")
    return message


def _unpacked(packed: bytes) -> bytes:
    opened = zlib.decompressobj()
    body = opened.decompress(packed, MAX_STATE_BYTES)
    if opened.unconsumed_tail:
        raise BadAnswer(f"a state of more than {MAX_STATE_BYTES} bytes")
    return body


class PeerLink:
    """One peer by `name` (address:port).

    `observe` is told how many seconds a push's first event took, `stepped` that something was pushed or failed to be.
    The link is in `idle` while it waits to be woken.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        connect: Callable[[], Connection],
        *,
        now: Callable[[], float],
        observe: Callable[[float], None],
        idle: set[PeerLink],
        stepped: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.sender = sender
        self.pulling = 0  # buckets still to come of the pull under way
        self.lost_events = 0  # told the old way and not taken
        self._connection = connect()
        self._pulls = connect()
        self._legacy = LegacyPeer(connect)
        self._now = now
        self._observe = observe
        self._stepped = stepped
        self._news = asyncio.Event()
        self._told = sender.link
        self._probe_at = 0.0  # when a peer that speaks the old way is next asked whether it still does
        self._idle = idle

    def wake(self) -> None:
        """The journal has something new."""
        self._news.set()

    def close(self) -> None:
        """Drop the connections."""
        self._connection.close()
        self._pulls.close()
        self._legacy.close()

    async def run(self) -> None:
        """Push for as long as the peer is one."""
        self.sender.begin()
        try:
            while True:
                await self._step()
                self._stepped()
                self._tell()
        finally:
            self.close()

    async def summary(self) -> Summary:
        """The peer's summary. Raises one of FAULTS or Refused."""
        return _known(_read_summary(await self._pull(paths.SUMMARY, b"")))

    async def state(self, want: Want) -> State:
        """Some of the buckets wanted. Raises one of FAULTS or Refused."""
        return _known(_read_state(_unpacked(await self._pull(paths.STATE, _encode(want)))))

    async def cache(self, want: CacheWant) -> CacheState:
        """Some of the buckets wanted of the index of caches. Raises one of FAULTS or Refused."""
        return _known(_read_cache(_unpacked(await self._pull(paths.CACHE, _encode(want)))))

    async def _pull(self, path: str, body: bytes) -> bytes:
        status, answer = await self._pulls.ask("POST", path, body)
        if status != 200:
            raise Refused(path, status)
        return answer

    async def _step(self) -> None:
        sender, now = self.sender, self._now()
        if sender.link is Link.LEGACY and now < self._probe_at:
            await self._tell_the_old_way()
            return
        push = sender.poll(now)
        if push is None:
            due = sender.due(now)
            await self._wait(None if due is None else due - now)
            return
        try:
            status, body = await self._connection.ask("POST", paths.PUSH, _encode(push))
            if status == 200:
                took = sender.took(_known(_read_ack(body)), self._now())
                if took is not None:
                    self._observe(took)
            elif status in UNKNOWN_PATH:
                self._probe_at = self._now() + PROBE_SECONDS
                sender.failed("speaks the original's protocol", self._now(), legacy=True)
            else:
                sender.failed(f"status {status}: {body[:200].decode('utf-8', 'replace')}", self._now())
        except FAULTS as error:
            sender.failed(str(error) or type(error).__name__, self._now())

    async def _wait(self, seconds: float | None) -> None:
        """Until the journal has news, but no longer than this; while a wait for its turn lasts, news change nothing."""
        if seconds is not None and self.sender.lag_events:
            await asyncio.sleep(max(0.0, seconds))
            return
        self._idle.add(self)
        try:
            if self.sender.lag_events:
                return  # they came before anybody could see that we wait
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._idle.discard(self)
            self._news.clear()

    async def _tell_the_old_way(self) -> None:
        events = self.sender.take_all()
        if not events:
            await self._wait(1.0)
            return
        self.lost_events += await self._legacy.tell(events)

    def _tell(self) -> None:
        """One line for each change of state, none for each event."""
        sender = self.sender
        if sender.link is self._told:
            return
        self._told = sender.link
        if sender.link is Link.LOST:
            logger.warning("peer %s: lost: %s", self.name, sender.last_error)
        else:
            logger.info("peer %s: %s", self.name, sender.link)

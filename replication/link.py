# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One peer on the wire: pushes what its `Sender` says, and carries pulls. Runs on the event loop, in a task of its own.

A peer of the Go version's kind is sent events one by one (`legacy.py`).
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from msgspec import DecodeError, ValidationError
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from replication import paths
from replication.buckets import State, Want
from replication.client import BadAnswer, Connection
from replication.entities import Event, Summary
from replication.entity import Entity
from replication.fault import refusal, sentence
from replication.features import NOTHING
from replication.legacy import LegacyPeer
from replication.messages import Ack, Push
from replication.own_faults import OwnFaults
from replication.paths import UNKNOWN_PATH, VERSION
from replication.sender import LinkState, Sender
from runtime.notices.kind import Kind

logger = logging.getLogger("replication")

PROBE_SECONDS = 30.0  # a peer that spoke the old way may have been replaced since
MAX_STATE_BYTES = 64 * 1024 * 1024

AnswerT = TypeVar("AnswerT", Ack, State, Summary)

_encode = Encoder().encode
_read_ack = Decoder(Ack).decode
_read_summary = Decoder(Summary).decode

FAULTS = (OSError, BadAnswer, DecodeError, ValidationError, UnicodeDecodeError, RecursionError, zlib.error)
# What one answers to a push that is wrong or too large to it. All others pass by themselves.
REFUSED = frozenset({400, 413})
FAILING_PULLS = 3


class Refused(Exception):
    """The peer answered, and not with 200. `old`: it does not know the path."""

    def __init__(self, path: str, status: int) -> None:
        super().__init__(f"it answered {status} to {path}")
        self.old = status in UNKNOWN_PATH  # such a peer is of the Go version's kind


def _known(message: AnswerT) -> AnswerT:
    """Return the message. Raises BadAnswer if it is of another version than ours."""
    if message.version != VERSION:
        raise BadAnswer(f"version {message.version}, expected {VERSION}")
    return message


def _unpacked(packed: bytes) -> bytes:
    opened = zlib.decompressobj()
    body = opened.decompress(packed, MAX_STATE_BYTES)
    if opened.unconsumed_tail:
        raise BadAnswer(f"a state of more than {MAX_STATE_BYTES} bytes")
    return body


def _is_writable(event: Event) -> bool:
    try:
        _encode(event)
    except Exception:
        return False
    return True


class PeerLink:
    """One peer.

    `name`: its address and port as text.
    `sender`: what it has of our journal.
    `pulling`: buckets still to come of the pull under way.
    `cold`: whether the peer began with nothing and may still lack what was reported before, as it last said.
    `lost_events`: events that a peer of the Go version's kind did not take.
    `failed_pulls`: pulls that failed.
    `pull_failures`: those since the last one that succeeded.
    `pull_error`: why the last one failed; empty once a pull succeeds.
    `unwritten`: pushes with an event that cannot be written. The event is left out.

    `observe` is called with the seconds that a push's first event took, `stepped` after each push, done or failed. The
    link is in `idle` while it waits to be woken. `notice` is called with what people should know of it, as a sentence.
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
        notice: Callable[[Kind, str], None] = lambda kind, text: None,
    ) -> None:
        self.name = name
        self.sender = sender
        self.pulling = 0
        self.lost_events = 0
        self.cold = False
        self.failed_pulls = 0
        self.pull_failures = 0
        self.pull_error = ""
        self.unwritten = OwnFaults()
        self._connect = connect
        self._connection = connect()
        self._pulls = connect()
        self._notices = connect()
        self._legacy = LegacyPeer(connect)
        self._now = now
        self._observe = observe
        self._stepped = stepped
        self._notice = notice
        self._news = asyncio.Event()
        self._reported = sender.state
        self._probe_at = 0.0  # when a peer that speaks the old way is next asked whether it still does
        self._idle = idle
        self._hurried = asyncio.Event()
        self._pushing_old = False  # events that count as sent are still on their way to a peer of the Go version
        self._patience = 0  # at so many failures the flush ends; see `flush`

    def wake(self) -> None:
        """The journal has something new."""
        self._news.set()

    def flush(self) -> None:
        """Hand on what the journal holds. A peer that is lost is tried once more, at once, and any other twice."""
        sender = self.sender
        self._patience = sender.failures + (1 if sender.state is LinkState.LOST else 2)
        sender.hurry()
        self._hurried.set()

    @property
    def flushed(self) -> bool:
        """Whether the peer has all that the journal holds, or has shown since `flush` that it cannot be reached."""
        sender = self.sender
        if sender.state is LinkState.LOST and sender.failures >= self._patience:
            return True
        return not sender.lag_events and not self._pushing_old

    def close(self) -> None:
        """Drop the connections."""
        self._connection.close()
        self._pulls.close()
        self._notices.close()
        self._legacy.close()

    async def run(self) -> None:
        """Push for as long as the peer is one."""
        self.sender.begin()
        try:
            while True:
                await self._step()
                self._stepped()
                self._report()
        except Exception as error:
            self.sender.failed(f"its link ended: {type(error).__name__}: {error}", self._now())
            raise
        finally:
            self.close()

    @property
    def last_error(self) -> str:
        """Why the peer is not, or not wholly, spoken with; empty if it is."""
        return self.sender.last_error or self.pull_error or self.unwritten.lately(self._now())

    @property
    def pulls_fail(self) -> bool:
        """Whether several pulls in a row failed: one may, on a busy network."""
        return self.pull_failures >= FAILING_PULLS

    def pull_failed(self, reason: str) -> None:
        """Note that a pull from this peer failed."""
        self.failed_pulls += 1
        self.pull_failures += 1
        self.pull_error = f"not pulled: {reason}"
        if self.pull_failures == FAILING_PULLS:
            self._notice(Kind.PULLS_FAIL, f"Pulls from peer {self.name} fail: {reason}")

    def pulled(self) -> None:
        """Note that a pull from this peer succeeded."""
        if self.pulls_fail:
            self._notice(Kind.PULLS_WORK, f"Pulls from peer {self.name} succeed again")
        self.pull_failures = 0
        self.pull_error = ""

    async def summary(self) -> Summary:
        """Return the peer's Summary. Raises one of FAULTS or Refused."""
        return _known(_read_summary(await self._pull(paths.SUMMARY, b"")))

    async def state(self, entity: Entity, want: Want) -> State:
        """Return some of the buckets wanted of an entity. Raises one of FAULTS or Refused."""
        return _known(entity.layout.read_state(_unpacked(await self._pull(entity.path, _encode(want)))))

    def connection(self) -> Connection:
        """Return another connection to the peer, for its caller to close."""
        return self._connect()

    async def notices(self, wanted: bytes) -> bytes:
        """Return the peer's answer to a `NoticesWanted`, both as they travel. Raises one of FAULTS or Refused."""
        status, answer = await self._notices.ask("POST", paths.NOTICES, wanted)
        if status != 200:
            raise Refused(paths.NOTICES, status)
        return answer

    async def _pull(self, path: str, body: bytes) -> bytes:
        status, answer = await self._pulls.ask("POST", path, body)
        self.cold = self._pulls.cold
        if status != 200:
            raise Refused(path, status)
        return answer

    async def _step(self) -> None:
        sender, now = self.sender, self._now()
        if sender.state is LinkState.LEGACY and now < self._probe_at:
            await self._push_one_by_one()
            return
        push = sender.poll(now)
        if push is None:
            due = sender.due(now)
            await self._wait(None if due is None else due - now)
            return
        try:
            status, body = await self._connection.ask("POST", paths.PUSH, self._written(push))
            if status == 200:
                self.cold = self._connection.cold
                took = sender.took(_known(_read_ack(body)), self._now())
                if took is not None:
                    self._observe(took)
            elif status in UNKNOWN_PATH:
                self._probe_at = self._now() + PROBE_SECONDS
                sender.failed("speaks the Go version's protocol", self._now(), legacy=True)
            else:
                (sender.refused if status in REFUSED else sender.failed)(refusal(status, body), self._now())
        except FAULTS as error:
            sender.failed(sentence(error), self._now())

    def _written(self, push: Push) -> bytes:
        """Return a push as it travels, with `NOTHING` for each event that cannot be written."""
        try:
            return _encode(push)
        except Exception as error:
            logger.exception("peer %s: a push cannot be written; an event is left out", self.name)
            self.unwritten.note("an event cannot be written", error, self._now())
            return _encode(replace(push, events=[event if _is_writable(event) else NOTHING for event in push.events]))

    async def _wait(self, seconds: float | None) -> None:
        """Wait until the journal has news, at most this long. A wait for the next push's turn is not cut short, unless
        a flush begins."""
        if seconds is not None and self.sender.lag_events:
            if self.sender.state is LinkState.CONNECTED:  # some milliseconds, and often
                await asyncio.sleep(max(0.0, seconds))
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, seconds)):
                        await self._hurried.wait()
                self._hurried.clear()
            return
        self._idle.add(self)
        try:
            if self.sender.lag_events:
                return  # they came before this link could be seen to wait
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._idle.discard(self)
            self._news.clear()

    async def _push_one_by_one(self) -> None:
        events = self.sender.take_all()
        if not events:
            await self._wait(1.0)
            return
        self._pushing_old = True
        try:
            self.lost_events += await self._legacy.push(events)
        finally:
            self._pushing_old = False

    def _report(self) -> None:
        """Log one line for each change of state, none for each event."""
        sender = self.sender
        if sender.state is self._reported:
            return
        self._reported = sender.state
        if sender.state is LinkState.LOST:
            logger.warning("peer %s: lost: %s", self.name, sender.last_error)
            self._notice(Kind.PEER_LOST, f"Peer {self.name} is lost: {sender.last_error or 'it does not answer'}")
        else:
            logger.info("peer %s: %s", self.name, sender.state)
            self._notice(Kind.PEER_JOINED, f"Peer {self.name} is {sender.state}")

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Decides when the tail and the snapshot are written. Owned by the event loop; other threads read what it reports.

Ten times a second what is new in the journal is appended to the tail, in one write. Once a minute the node is captured,
slice by slice, with a rest behind each slice that is many times as long. The disk has a thread of its own: one that
hangs holds up neither the loop nor a call, and the journal keeps what it could not take.

At a stop the flush captures once more, without rests, and the tail ends with a mark: all that was taken is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter, time

from replication.journal import Journal
from replication.replica import Replica
from replication.snapshot.capture import Capture
from replication.snapshot.disk import DiskThread
from replication.snapshot.files import SnapshotFiles
from replication.snapshot.moment import Moment
from replication.snapshot.tail import Tail
from runtime.health import PartState, rfc3339

logger = logging.getLogger("replication.snapshot")

TAIL_SECONDS = 0.1
SNAPSHOT_SECONDS = 60.0
LOOK_SECONDS = 1.0  # how often it is looked whether a snapshot is due
RETRY_SECONDS = 10.0
# A snapshot is due earlier where the tail grew by so much and by more than the snapshot: a start reads both.
LONG_TAIL_BYTES = 64 * 1024 * 1024
# Behind each slice, in times of what it took: 1.6 % of a core while a snapshot is written.
REST = 60
HANDING_OVER_SECONDS = 0.0001  # what it costs to give a piece of work to the disk's thread, and to be woken by it
LAST_WRITE_SECONDS = 2.0


class SnapshotKeeper:
    """Keeps a node's snapshot and tail.

    `alone`: the node has no peers and can have none. `handed_on` returns whether all peers have what the node took.
    `history`: yields the pages of the history of load. `notices` returns the notices to keep, as they are written.

    `written_at`: when the last snapshot was written, in wall-clock seconds; None before the first of this life.
    `took_seconds`: how long that took, rests included.
    `busy_seconds`: how much of the loop's time that took.
    `failures`: writes that failed.
    `errors`: what fails now, by what is written, and why.
    """

    def __init__(
        self,
        replica: Replica,
        journal: Journal,
        files: SnapshotFiles,
        *,
        alone: bool,
        handed_on: Callable[[], bool] = lambda: False,
        history: Callable[[], Iterable[bytes]] = tuple,
        notices: Callable[[], bytes] = bytes,
        wall: Callable[[], float] = time,
    ) -> None:
        self._replica = replica
        self._files = files
        self._alone = alone
        self._handed_on = handed_on
        self._history = history
        self._notices = notices
        self._wall = wall
        self._tail = Tail(journal, monotonic)
        self._disk = DiskThread()
        self._turn = asyncio.Lock()  # of what is written to the tail
        self._hurried = asyncio.Event()
        self._begun = False  # this life has a tail
        self._done = False
        self._tasks: list[asyncio.Task[None]] = []
        self._began = wall()
        self.written_at: float | None = None
        self.took_seconds = 0.0
        self.busy_seconds = 0.0
        self.failures = 0
        self.errors: dict[str, str] = {}
        self._filled_holes = 0  # of the tail: a snapshot stands for them

    @property
    def tail_bytes(self) -> int:
        """How much the tails hold."""
        return self._files.tail_bytes

    @property
    def snapshot_bytes(self) -> int:
        """How much the snapshot holds."""
        return self._files.snapshot_bytes

    def age_seconds(self) -> float:
        """Return how old the last snapshot is; before the first one of this life, how old this life is."""
        return max(0.0, self._wall() - (self._began if self.written_at is None else self.written_at))

    def state(self) -> tuple[PartState, str]:
        """Return how it is, as a probe for `Health`."""
        if self.errors:
            return PartState.DEGRADED, "; ".join(self.errors.values())
        return PartState.OK, "" if self.written_at is None else f"written {rfc3339(self.written_at)}"

    # On the loop

    def start(self) -> None:
        """Begin a tail for this life, and to keep it."""
        self._disk.start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep_tail()), loop.create_task(self._keep_snapshot())]

    def keep_nodes(self, body: bytes) -> None:
        """Begin to keep which other nodes there are. A disk that takes nothing keeps what it had."""
        self._disk.put(partial(self._files.keep_nodes, body))

    def flush(self) -> None:
        """Write all that is not written yet, and capture the node once more. Clients report no more."""
        self._hurried.set()

    def flushed(self) -> bool:
        """Return whether that is done, or has failed."""
        return self._done

    async def stop(self) -> None:
        """Write what is left and the mark of a clean end. A disk that hangs is waited for only briefly."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                if not self._begun:
                    await self._rotate()
                while self._tail.lag_events:
                    await self._write_tail()
                if self._tail.holes == self._filled_holes:
                    await self._disk.do(partial(self._files.append, self._tail.end(handed_on=self._handed_on())))
        except OSError as error:
            logger.warning("the last events are not on the disk: %s", _reason(error))
        except TimeoutError:
            logger.warning("the last events are not on the disk: it does not answer")
        self._disk.put(self._files.close)
        self._disk.end()

    async def _keep_tail(self) -> None:
        while True:
            self._begun = self._begun or await self._attempt("tail", self._rotate)
            if not self._begun or not await self._attempt("tail", self._append):
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(TAIL_SECONDS)

    async def _keep_snapshot(self) -> None:
        due = monotonic() + min(SNAPSHOT_SECONDS, RETRY_SECONDS)
        last = False
        while not last:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hurried.wait()
            last = self._hurried.is_set()
            if self._able() and (monotonic() >= due or self._is_long() or last):
                written = await self._attempt("snapshot", self._write_snapshot)
                due = monotonic() + (SNAPSHOT_SECONDS if written else RETRY_SECONDS)
        self._done = True

    def _able(self) -> bool:
        """Whether the node holds all that its watermarks cover. If not, what it left before counts for longer."""
        return self._replica.joined and not self._replica.lacks and not any(self._replica.pending.values())

    def _is_long(self) -> bool:
        """Whether the tail should give way to a snapshot early: it is long, or has a hole."""
        long = self._files.tail_bytes > max(LONG_TAIL_BYTES, self._files.snapshot_bytes)
        return not self.errors and (long or self._tail.holes != self._filled_holes)

    async def _attempt(self, what: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Do a piece of work. Returns False if it failed, as on a full disk: that is said once."""
        try:
            await work()
        except Exception as error:
            self.failures += 1
            reason = f"the {what} cannot be written: {_reason(error)}"
            if what not in self.errors:
                logger.warning("%s; the node serves on", reason, exc_info=None if isinstance(error, OSError) else error)
            self.errors[what] = reason
            return False
        if self.errors.pop(what, None):
            logger.info("the %s is written again", what)
        return True

    async def _append(self) -> None:
        async with self._turn:
            await self._write_tail()

    async def _write_tail(self) -> None:
        if frames := self._tail.take():
            await self._disk.do(partial(self._files.append, frames))
            self._tail.written()

    async def _rotate(self) -> int:
        """Let events go to a new tail from now on. Returns its number."""
        async with self._turn:
            number = await self._disk.do(self._files.next_tail)
            head = self._tail.head(Moment.now())
            try:
                await self._disk.do(partial(self._files.begin_tail, number, head))
            except OSError:
                self._tail.not_begun()
                raise
            return number

    async def _write_snapshot(self) -> None:
        began, busy = monotonic(), 0.0
        number, holes = await self._rotate(), self._tail.holes
        capture = Capture(
            self._replica,
            number,
            Moment.now(),
            monotonic,
            alone=self._alone,
            history=self._history,
            notices=self._notices,
        )
        try:
            await self._disk.do(self._files.begin)
            frames = capture.frames()
            while True:
                at = perf_counter()
                frame = next(frames, None)
                took = perf_counter() - at + HANDING_OVER_SECONDS
                busy += took
                if frame is None:
                    break
                await self._disk.do(partial(self._files.add, frame))
                await self._rest(took * REST)
            await self._disk.do(partial(self._files.finish, number))
        except BaseException:
            self._disk.put(self._files.abandon)
            raise
        self._filled_holes = holes
        self.written_at, self.took_seconds, self.busy_seconds = self._wall(), monotonic() - began, busy
        logger.debug("written: %d items, %d bytes in %.1f s", capture.items, self.snapshot_bytes, self.took_seconds)

    async def _rest(self, seconds: float) -> None:
        """Let others run, unless a flush waits."""
        if not self._hurried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurried.wait()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"a fault of this node: {type(error).__name__}: {error}"

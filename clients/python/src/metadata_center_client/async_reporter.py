# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports the requests of one gateway in the background, for asyncio. Belongs to one event loop."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from metadata_center_client import calls
from metadata_center_client.async_client import AsyncClient
from metadata_center_client.errors import MetadataCenterError
from metadata_center_client.outbox import Operation, Outbox, deliver
from metadata_center_client.reporter import (
    BEATS,
    CLOSE_SECONDS,
    GATHER_SECONDS,
    LONGEST_WAIT_SECONDS,
    SHORTEST_WAIT_SECONDS,
)
from metadata_center_client.tracked import TrackedRequest, kept, start_of

log = logging.getLogger("metadata_center_client")


class AsyncReporter:
    """Reports what a gateway does, in batches, and that it lives.

    `client`: the nodes. It stays open when the reporter closes.
    `owner`: the gateway's name; its requests are orphaned when its heartbeats stop. None: no heartbeats.
    `ttl_seconds`: how long a heartbeat holds; one is sent each third of that.
    `gather_seconds`: how long operations gather before they are sent. A longer time costs less CPU.
    `outbox`: what waits, and how much was dropped or refused.

    Use it as an asynchronous context manager: all operations are delivered before it ends.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        owner: str | None = None,
        ttl_seconds: int = 10,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self.client = client
        self.owner = owner
        self.incarnation = uuid4().hex
        self.outbox = Outbox()
        self._ttl = ttl_seconds
        self._gather = gather_seconds
        self._work = asyncio.Event()
        self._closing = asyncio.Event()
        self._give_up_at = float("inf")
        self._beat_at = monotonic()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="metadata-center-reporter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Deliver what waits, for `timeout_seconds` at the most, and stop. Returns whether all was delivered."""
        self._give_up_at = monotonic() + timeout_seconds
        self._closing.set()
        self._work.set()
        if self._task is not None:
            try:
                await asyncio.wait({self._task}, timeout=timeout_seconds)
            finally:
                self._task.cancel()  # if it has not ended; what it was delivering is back in the outbox
            await asyncio.wait({self._task})
        return not self.outbox

    def put(self, operation: Operation) -> None:
        """Take an operation of `POST /v1/load/batch` to deliver."""
        self.outbox.put(operation)
        self._work.set()

    async def request(
        self, cluster: str, request_id: str | None = None, *, ip: str | None = None, pick: bool = True, **members: Any
    ) -> TrackedRequest:
        """Begin a request.

        With `ip`, it is reported as sent to that engine (`members`: those of `POST /v1/load/stats`). Without, a node
        picks its engine (`members`: those of `POST /v1/load/pick`); if no node can, `picked` is None and the gateway
        chooses and calls `sent_to`, as with `pick=False`.
        """
        if self.owner is not None:
            members = {"owner": self.owner, "incarnation": self.incarnation, **members}
        tracked = TrackedRequest(self, cluster, request_id or uuid4().hex, kept(members))
        if ip is not None:
            tracked.sent_to(ip, **members)
        elif pick:
            await self._pick(tracked, members)
        return tracked

    async def _pick(self, tracked: TrackedRequest, members: dict[str, Any]) -> None:
        tracked.asks(members.get("attempt"))
        try:
            picked = await self.client.make(calls.pick(tracked.cluster, tracked.request_id, members))
        except MetadataCenterError as error:
            log.warning("no engine was picked for %s: %s", tracked.cluster, error)
            return
        except BaseException:  # cancelled, as a rule
            tracked.end()
            raise
        tracked.was_picked(picked)
        self.put(start_of(tracked, members))

    async def _run(self) -> None:
        wait = 0.0
        while not self._over():
            await self._beat_if_due()
            if not self.outbox:
                await self._await_work()
            elif await self._deliver():
                wait = 0.0
            else:
                if not wait:
                    log.warning("no node takes operations: %d wait", len(self.outbox))
                wait = min(max(2 * wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
                await self._pause(wait)

    def _over(self) -> bool:
        return self._closing.is_set() and (not self.outbox or monotonic() >= self._give_up_at)

    async def _await_work(self) -> None:
        """Wait for an operation or the next heartbeat, and a moment longer, so that operations gather."""
        if await _within(self._work, max(0.0, self._beat_at - monotonic()) if self.owner is not None else None):
            self._work.clear()
            await _within(self._closing, self._gather)

    async def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, SHORTEST_WAIT_SECONDS))
        else:
            await _within(self._closing, seconds)

    async def _deliver(self) -> bool:
        steps = deliver(self.outbox, self.client.nodes, self.owner or self.incarnation, monotonic)
        try:
            node, call = next(steps)
            while True:
                node, call = steps.send(await self.client.ask(node, call))
        except StopIteration as done:
            return bool(done.value)
        except Exception:  # the task goes on: it is the only one that delivers
            log.exception("a delivery failed")
            return False
        finally:
            steps.close()

    async def _beat_if_due(self) -> None:
        if self.owner is None or monotonic() < self._beat_at:
            return
        self._beat_at = monotonic() + self._ttl / BEATS
        try:
            beat = calls.heartbeat(self.owner, self._ttl, self.incarnation)
            await self.client.make(beat, tries=len(self.client.nodes))  # without it, all requests end
        except MetadataCenterError as error:
            log.warning("the heartbeat of %s failed: %s", self.owner, error)
        except Exception:
            log.exception("the heartbeat of %s failed", self.owner)


async def _within(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event. Returns whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False

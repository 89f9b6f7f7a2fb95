# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports the requests of one gateway in the background, for threads.

One thread delivers and sends heartbeats. `put` and the requests' methods may be called by any thread.
"""

from __future__ import annotations

import logging
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from metadata_center_client import calls
from metadata_center_client.client import Client
from metadata_center_client.errors import MetadataCenterError
from metadata_center_client.outbox import Operation, Outbox, deliver
from metadata_center_client.tracked import TrackedRequest, kept, start_of

GATHER_SECONDS = 0.01
SHORTEST_WAIT_SECONDS = 0.05  # after a failed delivery
LONGEST_WAIT_SECONDS = 1.0
BEATS = 3  # heartbeats in the time that one holds
CLOSE_SECONDS = 5.0
CALL_SECONDS = 1.0  # more, for a call that is under way when the time is over

log = logging.getLogger("metadata_center_client")


class Reporter:
    """Reports what a gateway does, in batches, and that it lives.

    `client`: the nodes. It stays open when the reporter closes.
    `owner`: the gateway's name; its requests are orphaned when its heartbeats stop. None: no heartbeats.
    `ttl_seconds`: how long a heartbeat holds; one is sent each third of that.
    `gather_seconds`: how long operations gather before they are sent. A longer time costs less CPU.
    `outbox`: what waits, and how much was dropped or refused.

    Close it, or use it as a context manager: then all operations are delivered before it ends.
    """

    def __init__(
        self,
        client: Client,
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
        self._bell: SimpleQueue[None] = SimpleQueue()  # an Event's lock may be held where a destructor calls `put`
        self._rung = False
        self._closing = Event()
        self._give_up_at = float("inf")
        self._beat_at = monotonic()
        self._thread = Thread(target=self._run, name="metadata-center-reporter", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Deliver what waits, for `timeout_seconds` at the most, and stop. Returns whether all was delivered."""
        self._give_up_at = monotonic() + timeout_seconds
        self._closing.set()
        self._ring()
        self._thread.join(timeout_seconds + CALL_SECONDS)
        return not self._thread.is_alive() and not self.outbox  # a call under way has taken its operations out

    def put(self, operation: Operation) -> None:
        """Take an operation of `POST /v1/load/batch` to deliver."""
        self.outbox.put(operation)
        self._ring()

    def request(
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
            self._pick(tracked, members)
        return tracked

    def _pick(self, tracked: TrackedRequest, members: dict[str, Any]) -> None:
        tracked.asks(members.get("attempt"))
        try:
            picked = self.client.make(calls.pick(tracked.cluster, tracked.request_id, members))
        except MetadataCenterError as error:
            log.warning("no engine was picked for %s: %s", tracked.cluster, error)
            return
        except BaseException:  # cancelled, as a rule
            tracked.end()
            raise
        tracked.was_picked(picked)
        self.put(start_of(tracked, members))

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _run(self) -> None:
        wait = 0.0
        while not self._over():
            self._beat_if_due()
            if not self.outbox:
                self._await_work()
            elif self._deliver():
                wait = 0.0
            else:
                if not wait:
                    log.warning("no node takes operations: %d wait", len(self.outbox))
                wait = min(max(2 * wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
                self._pause(wait)

    def _over(self) -> bool:
        return self._closing.is_set() and (not self.outbox or self._given_up())

    def _given_up(self) -> bool:
        return monotonic() >= self._give_up_at

    def _await_work(self) -> None:
        """Wait for an operation or the next heartbeat, and a moment longer, so that operations gather."""
        try:
            self._bell.get(timeout=max(0.0, self._beat_at - monotonic()) if self.owner is not None else None)
        except Empty:
            return
        self._rung = False
        self._closing.wait(self._gather)

    def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            sleep(min(seconds, SHORTEST_WAIT_SECONDS))
        else:
            self._closing.wait(seconds)

    def _deliver(self) -> bool:
        steps = deliver(self.outbox, self.client.nodes, self.owner or self.incarnation, monotonic)
        try:
            node, call = next(steps)
            while not self._given_up():
                node, call = steps.send(self.client.ask(node, call))
        except StopIteration as done:
            return bool(done.value)
        except Exception:  # the thread goes on: it is the only one that delivers
            log.exception("a delivery failed")
        steps.close()
        return False

    def _beat_if_due(self) -> None:
        if self.owner is None or monotonic() < self._beat_at:
            return
        self._beat_at = monotonic() + self._ttl / BEATS
        try:
            beat = calls.heartbeat(self.owner, self._ttl, self.incarnation)
            self.client.make(beat, tries=len(self.client.nodes))  # without it, all requests end
        except MetadataCenterError as error:
            log.warning("the heartbeat of %s failed: %s", self.owner, error)
        except Exception:
            log.exception("the heartbeat of %s failed", self.owner)

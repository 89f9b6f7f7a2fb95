# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One request that a gateway serves: reports its first token, its tokens and its end. Costs the caller microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from metadata_center_client.outbox import Operation
from metadata_center_client.rows import PickedEngine, engine_name


class Sink(Protocol):
    """Takes operations to deliver."""

    def put(self, operation: Operation) -> None: ...


KEPT = ("owner", "incarnation", "prompt_length")  # what holds for a request wherever it is sent


class TrackedRequest:
    """A request from its start to its end. Never raises: what can't be reported is counted by the reporter.

    `request_id`, `cluster`: as reported.
    `picked`: the engine that a node chose; None if no node could, or the gateway chose itself.
    `engine`: address and port of the engine that it counts on; empty until there is one.

    A context manager, for threads and for asyncio: the request ends with the block, however the block ends.
    """

    __slots__ = (
        "_about",
        "_asked",
        "_attempt",
        "_ended",
        "_kept",
        "_sink",
        "_started",
        "_with_first_token",
        "cluster",
        "engine",
        "picked",
        "request_id",
    )

    def __init__(self, sink: Sink, cluster: str, request_id: str, members: Mapping[str, object] | None = None) -> None:
        self.request_id = request_id
        self.cluster = cluster
        self.picked: PickedEngine | None = None
        self.engine = ""
        self._sink = sink
        self._kept = members or {}
        self._about: Operation = {"request_id": request_id}
        self._attempt = 1
        self._asked = False
        self._started = False
        self._with_first_token = False
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def asks(self, attempt: int | None = None) -> None:
        """Note that a node is asked to pick. It may count the request even if its answer is lost."""
        self._asked = True
        self._attempt = attempt or self._attempt

    def was_picked(self, picked: PickedEngine) -> None:
        """Take the engine that a node chose, where it counts already."""
        self.picked = picked
        self.engine = engine_name(picked.ip, picked.port)
        self._about = {"request_id": self.request_id, "attempt": picked.attempt}
        self._attempt = picked.attempt
        self._started = True

    def sent_to(self, ip: str, **members: object) -> None:
        """Report the engine that the request is sent to. `members`: those of `POST /v1/load/stats`.

        Gateway and prompt length are those that the request began with, unless they are given. If it was sent or a node
        was asked before, this is its next attempt: it counts here and no longer there.
        """
        if self._ended:
            return
        said = {**self._kept, **members}
        given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        self._about = {"request_id": self.request_id}
        if "attempt" in given:
            self._attempt = self._about["attempt"] = given["attempt"]
        elif self._asked or self._started:
            self._attempt += 1
            given["attempt"] = self._attempt
        self._sink.put({"op": "add", "cluster": self.cluster, "request_id": self.request_id, "ip": ip, **given})
        self.engine = engine_name(ip, given.get("port"))
        self._started = True
        self._with_first_token = False

    def first_token(self) -> None:
        """Report the first token. Further calls have no effect."""
        if self._started and not self._with_first_token and not self._ended:
            self._with_first_token = True
            self._sink.put({"op": "prompt", **self._about})

    def tokens(self, *, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """Report how many tokens the request holds, in all so far."""
        if self._started and not self._ended:
            counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
            given = {name: value for name, value in counts.items() if value is not None}
            self._sink.put({"op": "tokens", **self._about, **given})

    def end(self, *, outcome: str | None = None) -> None:
        """Report the end; with `outcome` "error", that the engine failed. Further calls have no effect."""
        if self._ended:
            return
        self._ended = True
        if self._started or self._asked:
            said = {} if outcome is None else {"outcome": outcome}
            self._sink.put({"op": "delete", **self._about, **said})


def kept(members: Mapping[str, object]) -> dict[str, object]:
    """Return what of a request's members holds wherever it is sent."""
    return {name: members[name] for name in KEPT if name in members}


def start_of(tracked: TrackedRequest, members: Mapping[str, Any]) -> Operation:
    """Return the start of a request whose engine a node picked.

    It is reported as well: a node that dies just after it picked may not have passed the start on. Nodes that know the
    request skip it.
    """
    picked = tracked.picked
    assert picked is not None
    place = {name: getattr(picked, name) for name in ("port", "dp_rank", "attempt")}
    about = {name: members.get(name) for name in ("owner", "incarnation", "prompt_length")}
    if members.get("uncached") and about["prompt_length"] and members.get("prompt_hash"):
        unread = 1 - picked.cache_length / len(members["prompt_hash"])
        about["prompt_length"] = max(1, round(about["prompt_length"] * unread))
    given = {name: value for name, value in (place | about).items() if value is not None}
    return {"op": "add", "cluster": tracked.cluster, "request_id": tracked.request_id, "ip": picked.ip, **given}

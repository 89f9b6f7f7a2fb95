# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A record as it travels between nodes. Immutable; `docs/protocol.md` describes its bytes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from loadstats.ledger.cause import GATEWAY
from loadstats.ledger.event import LATEST_MS, Attempt, EndCause, TokenNum
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import Record

LATEST_AGE_SECONDS = 2**31


class RequestCopy(Struct, frozen=True, array_like=True, gc=False):
    """One record. Ages travel, not clock readings.

    `remaining_seconds`: until it falls due.
    `cluster`, `engine`: where it runs; both empty for a stub.
    `origin`, `seq`: the dot of its add; empty and 0 for a record without one.
    `age_seconds`: since its add.
    `cause`: why it ended, a byte as in `cause.py`. Without a meaning while it has not.
    `attempt`: which attempt of the request it is.
    `incarnation`: the incarnation of the owner that the add named; empty for none.
    `since_ms`: when that was first seen, in wall-clock ms.

    What grows with time is read without a bound and written within the one that the wire has had from the start
    (`LATEST_AGE_SECONDS`): a copy of ours is never refused, whatever a peer said of the record.
    """

    request_id: Annotated[str, Meta(min_length=1, max_length=256)]
    phase: Annotated[int, Meta(ge=0, le=2)]
    remaining_seconds: Annotated[int, Meta(ge=0)]
    cluster: Annotated[str, Meta(max_length=256)] = ""
    engine: Annotated[str, Meta(max_length=64)] = ""
    prompt_length: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    origin: Annotated[str, Meta(max_length=128)] = ""
    seq: Annotated[int, Meta(ge=0)] = 0
    owner: Annotated[str, Meta(max_length=256)] = ""
    input_tokens: TokenNum = 0
    output_tokens: TokenNum = 0
    refreshed_ms: Annotated[int, Meta(ge=0, le=LATEST_MS)] = 0
    age_seconds: Annotated[int, Meta(ge=0)] = 0
    cause: EndCause = GATEWAY
    attempt: Attempt = 1
    incarnation: Annotated[str, Meta(max_length=64)] = ""
    since_ms: Annotated[int, Meta(ge=0, le=LATEST_MS)] = 0

    @classmethod
    def of(cls, record: Record, tick: int) -> RequestCopy:
        """Return the copy of a record at a tick. What is left of a closed engine travels as a stub."""
        engine, origin, extras = record.engine, record.origin, record.extras
        cluster = None if engine is None else engine.cluster
        incarnation = None if extras is None else extras.incarnation
        return cls(
            record.request_id,
            record.phase,
            min(max(0, record.due_tick - tick), LATEST_AGE_SECONDS),
            "" if cluster is None else cluster.name,
            "" if engine is None else engine.name,
            record.prompt_length,
            "" if origin is None else origin.name,
            record.seq,
            "" if extras is None or extras.owner is None else extras.owner.name,
            0 if extras is None else extras.input_tokens,
            0 if extras is None else extras.output_tokens,
            0 if extras is None else extras.refreshed_ms,
            min(max(0, tick - record.since_tick), LATEST_AGE_SECONDS),
            record.cause if record.phase is DONE else GATEWAY,
            1 if extras is None else extras.attempt,
            "" if incarnation is None else incarnation.name,
            0 if incarnation is None else incarnation.since_ms,
        )

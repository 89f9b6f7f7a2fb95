# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients report, as the ledger journals it and takes it from peers. Immutable.

As msgpack arrays, tagged by number, these are what nodes send each other; `docs/protocol.md` describes them. Bounds are
the same as for clients' calls: a bad peer cannot do more harm than a bad client.

`attempt` says which attempt of the request an event is about. In an event that never travels it may be `LATEST`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from loadstats.ledger.cause import GATEWAY, MAX_CAUSE

Name = Annotated[str, Meta(min_length=1, max_length=256)]
EngineText = Annotated[str, Meta(min_length=1, max_length=64)]  # an `EngineName`
TokenNum = Annotated[int, Meta(ge=0, le=2**31 - 1)]
MAX_ATTEMPT = 2**31 - 1
Attempt = Annotated[int, Meta(ge=1, le=MAX_ATTEMPT)]
LATEST = 0  # the latest attempt that the node knows which applies the event
LATEST_MS = 2**53
EndCause = Annotated[int, Meta(ge=0, le=MAX_CAUSE)]  # a byte as in `cause.py`
Milliseconds = Annotated[int, Meta(ge=1, le=LATEST_MS)]  # wall clock


def later_ms(wall_ns: int, last_ms: int) -> int:
    """A stamp for what is said now: later than any heard of, even from nodes whose clocks are ahead of ours."""
    return min(max(wall_ns // 1_000_000, last_ms + 1), LATEST_MS)


class Added(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A client sent a request to an engine."""

    request_id: Name
    cluster: Name
    engine: EngineText
    prompt_length: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    owner: Annotated[str, Meta(max_length=256)] = ""
    attempt: Attempt = 1


class FirstToken(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A client saw a request's first token."""

    request_id: Name
    attempt: Attempt = 1


class Done(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A client ended a request, or an engine's drop did."""

    request_id: Name
    cause: EndCause = GATEWAY
    attempt: Attempt = 1


class TokensCounted(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A client counted a request's tokens: absolute values, of which the larger wins."""

    request_id: Name
    input_tokens: TokenNum
    output_tokens: TokenNum
    attempt: Attempt = 1


class RequestRefreshed(Struct, frozen=True, array_like=True, tag=4, gc=False):
    """A client said that a request is still under way. The later one wins."""

    request_id: Name
    stamp_ms: Milliseconds
    attempt: Attempt = 1


class Beat(Struct, frozen=True, array_like=True, tag=5, gc=False):
    """A gateway said that it lives, and for how long that holds. The later one wins."""

    owner: Name
    ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)]
    stamp_ms: Milliseconds


class FromIncarnation(Struct, frozen=True, array_like=True, tag=20, gc=False):
    """What a gateway reported that named its incarnation. For peers that know none, `event` alone says the rest.

    `incarnation`: what the gateway calls this life of its.
    `since_ms`: when the incarnation was first seen, as the node that took the event knew it. The earlier one counts.
    `event`: the report. An add without an owner has no incarnation.
    """

    incarnation: Annotated[str, Meta(min_length=1, max_length=64)]
    since_ms: Milliseconds
    event: Added | Beat


class Dropped(Struct, frozen=True, array_like=True, tag=6, gc=False):
    """A client dropped an engine. Its requests were ended, each by an event of its own, before this one."""

    cluster: Name
    engine: EngineText


Event = Added | FirstToken | Done | TokensCounted | RequestRefreshed | Beat | Dropped | FromIncarnation

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' bodies, as they come over the wire. Immutable."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.body import INT64, MAX_NAME, DpRank, EngineAddress, Name, Port
from loadstats.ledger import MAX_ATTEMPT, Match

MAX_PROMPT_LENGTH = 2**31 - 1

RequestId = Name
PromptLength = Annotated[int, Meta(ge=0, le=MAX_PROMPT_LENGTH, description="in the gateway's own unit")]
Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra_json_schema=INT64)]

Owner = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, description="the gateway that sends heartbeats for it")]
Incarnation = Annotated[
    str, Meta(max_length=64, description="this life of the gateway: another one after each start; empty: not said")
]
TokenNum = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Attempt = Annotated[
    int, Meta(ge=1, le=MAX_ATTEMPT, description="of the request; absent: the latest that the node knows")
]
Outcome = Annotated[Literal["error"], Meta(description="the engine failed at it; absent: it did not, or who knows")]
MAX_REQUEST_IDS = 1000  # of one refresh: 2 ms
MAX_TTL_SECONDS = 86_400


class Add(Struct, gc=False):
    """`POST /v1/load/stats`: a request was sent to an engine. `timestamp` is accepted and not used.

    `match`: only where the engine's row has these numbers.
    """

    cluster: Name
    request_id: RequestId
    ip: EngineAddress
    prompt_length: PromptLength | None = None
    timestamp: Nanoseconds | None = None
    port: Port | None = None
    dp_rank: DpRank | None = None
    owner: Owner | None = None
    match: Match | None = None
    attempt: Attempt | None = None
    incarnation: Incarnation | None = None


class Ended(Struct, gc=False):
    """`DELETE /v1/load/prompt`: a request's prefill is over. A `RequestEnd` is one as well."""

    request_id: RequestId
    attempt: Attempt | None = None


class RequestEnd(Ended, gc=False):
    """`DELETE /v1/load/stats`: a request is over."""

    outcome: Outcome | None = None


class Tokens(Struct, gc=False):
    """`PUT /v1/load/tokens`: the tokens that a request holds on its engine, in all so far. The larger value wins."""

    request_id: RequestId
    input_tokens: TokenNum = 0
    output_tokens: TokenNum = 0
    attempt: Attempt | None = None


class Refresh(Struct):
    """`PUT /v1/load/refresh`: requests that are still running, one or several. `attempt` is that of `request_id`."""

    request_id: RequestId | None = None
    request_ids: Annotated[list[RequestId], Meta(max_length=MAX_REQUEST_IDS)] = []
    attempt: Attempt | None = None


class Refreshed(Struct):
    """What a refresh did. `unknown` requests were never reported here, or have ended."""

    unknown: list[str]


class Heartbeat(Struct):
    """`PUT /v1/load/owner`: a gateway's heartbeat. It holds for `ttl_seconds`."""

    owner: Name
    ttl_seconds: Annotated[int, Meta(ge=1, le=MAX_TTL_SECONDS)]
    incarnation: Incarnation | None = None

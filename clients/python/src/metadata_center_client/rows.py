# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the answers hold. Immutable. Members that a later release adds are skipped."""

from __future__ import annotations

from msgspec import Struct


class EngineLoad(Struct, frozen=True):
    """The load of one engine.

    `ip`, `port`, `dp_rank`: the engine's name; port and rank where the engine was reported with them.
    `queued_req_num`: requests that were started and have not ended.
    `prompt_length`: summed over requests before their first token, in the gateway's unit.
    `updated_time`: when a call last changed the row, in ns since 1970.
    `prefill_req_num`: requests before their first token.
    `token_num`: tokens held by requests in flight, where gateways report them.
    `orphaned_req_num`: requests whose gateway stopped sending heartbeats.
    """

    ip: str
    port: int | None = None
    dp_rank: int | None = None
    queued_req_num: int = 0
    prompt_length: int = 0
    updated_time: int = 0
    prefill_req_num: int = 0
    token_num: int = 0
    orphaned_req_num: int = 0


class PickedEngine(EngineLoad, frozen=True):
    """The engine that a node chose for a request; its load counts the request.

    `score`: higher is better; None if the request was already on this engine.
    `cache_length`: how many leading blocks of the prompt the engine has cached.
    `attempt`: which attempt of the request this is.
    """

    score: float | None = None
    cache_length: int = 0
    attempt: int = 1


class ClusterLoad(Struct, frozen=True):
    """The load of one cluster, summed over its engines. Members as in `EngineLoad`."""

    cluster: str
    engines: int = 0
    queued_req_num: int = 0
    prompt_length: int = 0
    prefill_req_num: int = 0
    token_num: int = 0
    orphaned_req_num: int = 0


class RequestState(Struct, frozen=True):
    """One request as the node `node` knows it.

    `phase`: "prefill", "decode", "done", or "early" if its end arrived before its start.
    `age_seconds`: since its start.
    `remaining_seconds`: until it times out, or is removed if it has ended.
    `owner`: the gateway whose heartbeats keep it alive; empty if its start named no gateway.
    `cause`: why it ended; empty while it has not.
    """

    request_id: str
    phase: str
    node: str
    cluster: str = ""
    ip: str = ""
    age_seconds: float = 0
    remaining_seconds: float = 0
    prompt_length: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    owner: str = ""
    orphaned: bool = False
    cause: str = ""
    attempt: int = 1


class CachedPrefix(Struct, frozen=True):
    """An engine that has the beginning of a prompt cached.

    `length`: how many leading blocks.
    """

    ip: str
    length: int
    port: int | None = None
    dp_rank: int | None = None


class CachedPrefixes(Struct, frozen=True):
    """The engines that have most of a prompt cached, the longest prefix first."""

    locations: list[CachedPrefix] = []


class OperationResult(Struct, frozen=True):
    """What became of one operation of a batch.

    `code`: 200, or the error's number.
    `unknown`: requests of a refresh that the node does not know.
    `ended`: requests that a drop ended.
    """

    code: int
    message: str = ""
    reason: str = ""
    unknown: list[str] = []
    ended: int = 0


class Refreshed(Struct, frozen=True):
    """What a refresh did. `unknown`: requests that the node does not know or that have ended."""

    unknown: list[str] = []


class Dropped(Struct, frozen=True):
    """What dropping an engine did. `ended`: the requests that were in flight there."""

    ended: int = 0


class ErrorPart(Struct, frozen=True):
    """The error of an answer."""

    code: int
    message: str
    reason: str = ""

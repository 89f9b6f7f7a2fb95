# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The call's body and answer, as they go over the wire. Immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Raw, Struct

from edge.body import MAX_NAME, DpRank, EngineAddress, Hash, Name, Port
from loadstats.ledger import MAX_CANDIDATES, Row
from loadstats.pick.policies import POLICIES
from loadstats.wire import Attempt, Incarnation, Owner, PromptLength, RequestId

MAX_HASHES = 16_384
MAX_WEIGHT = 1_000_000
MAX_QUEUED = 2**31 - 1

# The names come from the policies; a type checker needs them written down, so for it a name is any text.
if TYPE_CHECKING:
    PolicyName = str
else:
    PolicyName = Literal[tuple(POLICIES)]

EngineText = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="an engine as in `10.0.0.1`, `10.0.0.1:8000` or `[::1]:8000/3`"),
]
Weight = Annotated[float, Meta(ge=0, le=MAX_WEIGHT)]
EngineWeight = Annotated[
    float, Meta(ge=0.01, le=100, description="what it can do, beside the other candidates; absent: 1")
]


class Candidate(Struct, gc=False):
    """An engine that may be chosen, whether or not it was used before.

    `weight`: how much more than an engine of weight 1 it can do.
    """

    ip: EngineAddress
    port: Port | None = None
    dp_rank: DpRank | None = None
    weight: EngineWeight | None = None


class Weights(Struct, gc=False):
    """What a candidate's score is made of. What is left out is as configured."""

    cache_ratio: Weight | None = None
    request_load: Weight | None = None
    prefill_load: Weight | None = None
    request_tokens: Weight | None = None


class Pick(Struct, gc=False):
    """`POST /v1/load/pick`: choose an engine for a request. Of `policy`, `weights` and `share`, what is left out is as
    configured."""

    cluster: Name
    request_id: RequestId
    prompt_length: PromptLength | None = None
    candidates: (
        Annotated[
            list[EngineText | Candidate],
            Meta(
                min_length=1,
                max_length=MAX_CANDIDATES,
                description="engines to choose from, each once; absent: the cluster's",
                extra_json_schema={"uniqueItems": True},
            ),
        ]
        | None
    ) = None
    prompt_hash: (
        Annotated[
            tuple[Hash, ...],
            Meta(max_length=MAX_HASHES, description="the prompt, as in `POST /v1/cache/query`"),
        ]
        | None
    ) = None
    save: Annotated[bool, Meta(description="the chosen engine holds the prompt, as after `POST /v1/cache/save`")] = (
        False
    )
    policy: PolicyName | None = None
    weights: Weights | None = None
    share: Annotated[float, Meta(ge=0, le=1, description="of the candidates, those that count as best")] | None = None
    max_queued: Annotated[int, Meta(ge=0, le=MAX_QUEUED, description="no engine that has so many")] | None = None
    owner: Owner | None = None
    attempt: Attempt | None = None
    incarnation: Incarnation | None = None
    session: (
        Annotated[str, Meta(min_length=1, max_length=MAX_NAME, description="prefers the engine that served it last")]
        | None
    ) = None
    uncached: (
        Annotated[bool, Meta(description="count only what the engine chosen has yet to read of the prompt")] | None
    ) = None
    full: Annotated[bool, Meta(description="the answer has those members of the row that are 0, too")] = False


class QuickPick(Pick, gc=False):
    """The same with its candidates unread: gateways name the same thousand again and again."""

    candidates: Raw = Raw(b"null")  # type: ignore[assignment] # the one member that is read by the other


class Picked(Row, frozen=True, kw_only=True):  # type: ignore[misc] # Row is frozen; the checker sees its base of signals
    """The engine that was chosen, with this request on it."""

    score: Annotated[float, Meta(description="the higher the better; null where the request was known")] | None
    cache_length: Annotated[int, Meta(description="how many of the prompt's leading blocks it holds")]
    attempt: Annotated[int, Meta(description="which attempt of the request the engine is for")]

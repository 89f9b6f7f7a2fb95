# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' pages."""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from edge.body import MAX_NAME, Name
from edge.errors import Conflict, NotFound, TooMany
from edge.rest.viewset import HandlerViewSet
from loadstats.batch import BATCH, Batch, Taken
from loadstats.engines import CLUSTERS, ENGINE, MAX_CLUSTERS, Cleared, EngineDrop, Limit
from loadstats.gateway_view import AFTER, MAX_AFTER, Order
from loadstats.handlers import PROMPT
from loadstats.history import LoadHistory
from loadstats.history.handlers import HISTORY, Range, Step
from loadstats.inspection import REQUEST
from loadstats.keepalive import OWNER, REFRESH, TOKENS
from loadstats.ledger import ClusterTotals, RequestView, Row
from loadstats.owners import OWNERS, USUAL, USUAL_ORDER, GatewayPage, OwnerEnd, OwnerEnded
from loadstats.owners import Limit as OwnersLimit
from loadstats.pick.handlers import PICK
from loadstats.pick.wire import Pick, Picked
from loadstats.query import STATS, WaitSeconds
from loadstats.wire import Add, Ended, Heartbeat, Refresh, Refreshed, RequestEnd, RequestId, Tokens

After = Annotated[str, Meta(max_length=MAX_NAME, description="the last name of the answer before")]


class Query(Struct):
    """`GET /v1/load/stats`: the query string."""

    cluster: Name
    wait: WaitSeconds | UnsetType = UNSET
    full: Annotated[bool, Meta(description="rows have those members that are 0, too")] = False


class Some(Struct):
    """`GET /v1/load/clusters`: the query string."""

    after: After = ""
    limit: Limit = MAX_CLUSTERS


class LoadPast(Struct):
    """`GET /v1/load/history`: the query string."""

    cluster: Name | UnsetType = UNSET
    engine: Name | UnsetType = UNSET
    range: Range = "15m"
    step: Step | UnsetType = UNSET


class Gateways(Struct):
    """`GET /v1/load/owners`: the query string."""

    order: Annotated[Order, Meta(description="what comes first")] = USUAL_ORDER
    limit: OwnersLimit = USUAL
    after: Annotated[
        str, Meta(max_length=MAX_AFTER, pattern=AFTER, description="`next` of the answer before; empty: the start")
    ] = ""
    cluster: Annotated[Name | UnsetType, Meta(description="count only the requests in it")] = UNSET
    owner: Annotated[Name | UnsetType, Meta(description="list only gateways of this name")] = UNSET


class Which(Struct):
    """`GET /v1/load/request`: the query string."""

    request_id: RequestId


class Found(RequestView, frozen=True, kw_only=True):
    """A request as `node` knows it.

    `phase` is prefill, decode, done, or early where an end came and its start has not: then there is no engine.
    `age_seconds` is since its start, `remaining_seconds` until it is ended for its age, or forgotten once it is over.
    `origin` is the node that was told of it, `seq` which of that node's events it was. `owner` is the gateway whose
    heartbeats keep it from expiring, `heartbeats` whether one has ever come, `orphaned` whether they have
    stopped, `superseded` whether the gateway has started anew.
    `cause` says why it is over: gateway, operator, age, silence, engine_drop or elsewhere; it is empty while it is not.
    `outcome` is error where its gateway said that the engine failed at it, else empty.
    """

    node: str


class LoadStatsView(HandlerViewSet):
    """The load of a cluster's engines, and the requests that it follows from."""

    path = STATS
    permission = "loadstats.end_request"
    inputs: ClassVar = {"GET": Query, "POST": Add, "DELETE": RequestEnd}
    outputs: ClassVar = {"GET": list[Row] | None, "POST": None, "DELETE": None}
    errors: ClassVar = {"GET": {TooMany: None}, "POST": {TooMany: None, Conflict: Row}}
    tagged: ClassVar = frozenset({"GET"})
    examples: ClassVar = {
        "cluster": "demo",
        "request_id": "demo-1",
        "ip": "10.0.0.1",
        "prompt_length": 100,
        "queued_req_num": 1,
        "updated_time": 1_795_440_123_000_000_000,
        "prefill_req_num": 1,
        "token_num": UNSET,
        "orphaned_req_num": UNSET,
    }


class LoadPick(HandlerViewSet):
    """An engine for a request, chosen by load and cache, with the request counted on it."""

    path = PICK
    permission = "loadstats.end_request"
    inputs: ClassVar = {"POST": Pick}
    outputs: ClassVar = {"POST": Picked}
    errors: ClassVar = {"POST": {TooMany: None}}
    examples: ClassVar = {
        **LoadStatsView.examples,
        "ip": "10.0.0.2",
        "port": 8000,
        "dp_rank": 0,
        "candidates": ["10.0.0.1", "10.0.0.2:8000/0", {"ip": "10.0.0.2", "port": 8000, "dp_rank": 1}],
        "prompt_hash": [11, 12, 13],
        "policy": "score",
        "weights": {"cache_ratio": 2.0},
        "share": 0.05,
        "max_queued": 30,
        "owner": "gateway-1",
        "score": 0.6,
        "cache_length": 1,
        "attempt": 1,
        "superseded": False,
    }


class LoadPrompt(HandlerViewSet):
    """The prompts that engines have yet to read."""

    path = PROMPT
    permission = "loadstats.end_request"
    inputs: ClassVar = {"DELETE": Ended}
    outputs: ClassVar = {"DELETE": None}
    examples: ClassVar = {"request_id": "demo-1"}


class LoadTokens(HandlerViewSet):
    """The tokens that requests hold on their engines."""

    path = TOKENS
    permission = "loadstats.end_request"
    inputs: ClassVar = {"PUT": Tokens}
    outputs: ClassVar = {"PUT": None}
    examples: ClassVar = {"request_id": "demo-1", "input_tokens": 100, "output_tokens": 20}


class LoadRefresh(HandlerViewSet):
    """Requests that take long, kept from expiring."""

    path = REFRESH
    permission = "loadstats.end_request"
    inputs: ClassVar = {"PUT": Refresh}
    outputs: ClassVar = {"PUT": Refreshed}
    examples: ClassVar = {"request_id": "demo-1", "unknown": ["demo-2"]}


class LoadOwner(HandlerViewSet):
    """One gateway: its heartbeats, and the end of all its requests."""

    path = OWNER
    permission = "loadstats.end_request"
    inputs: ClassVar = {"PUT": Heartbeat, "DELETE": OwnerEnd}
    outputs: ClassVar = {"PUT": None, "DELETE": OwnerEnded}
    errors: ClassVar = {"PUT": {TooMany: None}}
    examples: ClassVar = {
        "owner": "gateway-1",
        "ttl_seconds": 30,
        "incarnation": "7d1f",
        "kind": "owner",
        "requests": 12,
        "ended": 12,
    }


TAKEN = [{"code": 200}, {"code": 200}, {"code": 200, "unknown": ["demo-2"]}]


class LoadBatch(HandlerViewSet):
    """Many calls in one."""

    path = BATCH
    permission = "loadstats.end_request"
    inputs: ClassVar = {"POST": Batch}
    outputs: ClassVar = {"POST": Annotated[list[Taken], Meta(examples=[TAKEN])]}
    examples: ClassVar = {
        "ops": [
            {"op": "add", "cluster": "demo", "request_id": "demo-1", "ip": "10.0.0.1", "prompt_length": 100},
            {"op": "prompt", "request_id": "demo-1"},
            {"op": "refresh", "request_id": "demo-2"},
        ],
    }


class LoadEngine(HandlerViewSet):
    """Engines that were restarted, or are gone."""

    path = ENGINE
    permission = "loadstats.forget_engine"
    inputs: ClassVar = {"DELETE": EngineDrop}
    outputs: ClassVar = {"DELETE": Cleared}
    errors: ClassVar = {"DELETE": {NotFound: None}}
    examples: ClassVar = {"cluster": "demo", "ip": "10.0.0.1", "ended": 1}


class LoadClusters(HandlerViewSet):
    """The clusters that there are, in a row each."""

    path = CLUSTERS
    inputs: ClassVar = {"GET": Some}
    outputs: ClassVar = {"GET": list[ClusterTotals]}
    examples: ClassVar = {
        "cluster": "demo",
        "engines": 8,
        "queued_req_num": 12,
        "prompt_length": 4000,
        "prefill_req_num": 3,
        "token_num": 9000,
    }


class LoadHistoryView(HandlerViewSet):
    """What the load was, in steps of 10 s for 15 minutes and of 60 s for an hour."""

    path = HISTORY
    inputs: ClassVar = {"GET": LoadPast}
    outputs: ClassVar = {"GET": LoadHistory}
    examples: ClassVar = {
        "cluster": "demo",
        "engine": "10.0.0.1",
        "range": "15m",
        "step": 10,
        "step_seconds": 10,
        "end_ns": 1_795_440_123_000_000_000,
        "series": {"queued_req_num": [None, 3.0, 4.0], "engines": [None, 2.0, 2.0]},
    }


class LoadOwners(HandlerViewSet):
    """The gateways, and what each has in flight: which one does not report its ends?"""

    path = OWNERS
    inputs: ClassVar = {"GET": Gateways}
    outputs: ClassVar = {"GET": GatewayPage}
    examples: ClassVar = {
        "owner": "gateway-1",
        "kind": "owner",
        "requests": 12,
        "oldest_seconds": 42,
        "orphans": 0,
        "heartbeat_seconds": 3,
        "incarnation": "7d1f",
        "total": 30,
        "age_seconds": 0.4,
        "node": "10.0.0.9:8080",
    }


class LoadRequest(HandlerViewSet):
    """One request: its engine, how far it has come, how old it is, and which node told of it."""

    path = REQUEST
    inputs: ClassVar = {"GET": Which}
    outputs: ClassVar = {"GET": Found}
    errors: ClassVar = {"GET": {NotFound: None}}
    examples: ClassVar = {
        "request_id": "demo-1",
        "cluster": "demo",
        "ip": "10.0.0.1",
        "phase": "prefill",
        "age_seconds": 2,
        "remaining_seconds": 658,
        "prompt_length": 100,
        "origin": "10.0.0.9:8080@18eab1233cf2c88e",
        "seq": 1,
        "node": "10.0.0.9:8080",
    }

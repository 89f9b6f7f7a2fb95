# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Arms: what is compared, by name. A name says all that an arm is:

    random  round_robin  own_counts  oracle
    poll:0.05  poll:1  poll:10            seconds between two looks at the engines' gauges
    read_add:0.0003  read_add:0.01        GET then POST, seconds between them
    compare_add                           GET then POST with `match`
    pick:POLICY                           any policy of the product, in its own handler
    trial:RULE                            a rule of `trials.py`

Behind the name, in this order:

- `+index`: gateways send the prompt's blocks;
- `+session`: of `pick`, gateways say which conversation it is;
- `,member=number`, as often as wanted: `share`, `cache_ratio`, `request_load`, `prefill_load`, `request_tokens`, and
  `index_blocks`, the bound of an engine in the index; of `pick` also `uncached=1`, `weigh=1` (candidates' weights
  are their speeds), and the node's settings `cool_down`, `slow_start` and `session_idle`, in seconds;
- `@mesh`, `@5ms`, `@100ms`: three nodes with that lag between them instead of one.

So a new policy of the product can be judged by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import exp, log
from random import Random
from typing import Any

from msgspec.structs import replace

from benchmarks.scheduling.counted import CompareAndAdd, OnTrial, Pick, ReadThenAdd
from benchmarks.scheduling.fleet import Fleet
from benchmarks.scheduling.node import Lag
from benchmarks.scheduling.run import MakeWay
from benchmarks.scheduling.trials import TRIALS
from benchmarks.scheduling.ways import Oracle, OwnCounts, Polled, Randomly, RoundRobin, Way
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import POLICIES

NAME = re.compile(
    r"(?P<way>[a-z_]+)(:(?P<of>[a-z_0-9.]+))?(?P<index>\+index)?(?P<session>\+session)?"
    r"(?P<members>(,[a-z_]+=[0-9.]+)*)(@(?P<nodes>mesh|\d+ms))?"
)
MESH_P50, MESH_P99 = 0.00385, 0.00874
"""Seconds from a call's answer to being seen on a peer, three nodes, 2,000 events/s: `RESULTS.md`, Replication."""
P99_SIGMAS = 2.326
NODES = 3
WEIGHTS = ("cache_ratio", "request_load", "prefill_load", "request_tokens")
SETTINGS = ("cool_down", "slow_start", "session_idle")


class UnknownArm(ValueError):
    """No arm has this name."""


def arm(name: str) -> MakeWay:
    """Return what makes the way of an arm. Raises UnknownArm."""
    found = NAME.fullmatch(name)
    if found is None:
        raise UnknownArm(f"{name!r}: not the name of an arm; see benchmarks/scheduling/arms.py")
    way, of, index = found["way"], found["of"] or "", found["index"] is not None
    members = {key: float(value) for key, value in (each.split("=") for each in found["members"].split(",")[1:])}
    nodes, session = found["nodes"], found["session"] is not None

    def make(fleet: Fleet, random: Callable[[], float], gateways: int) -> Way:
        said = dict(members)
        behind: dict[str, Any] = {}
        if "index_blocks" in said:
            behind["index_blocks"] = int(said.pop("index_blocks"))
        if settings := {f"{name}_seconds": said.pop(name) for name in SETTINGS if name in said}:
            behind["settings"] = replace(PickOptions(), **settings)
        if nodes:
            behind |= {"nodes": NODES, "lag": lag(nodes, Random(random()).gauss)}
        if way in ALONE and not index and not members and not nodes:
            return ALONE[way](fleet, random, gateways, of)
        if way == "read_add":
            return ReadThenAdd(fleet, random, float(of), **behind)
        if way == "compare_add":
            return CompareAndAdd(fleet, random, **behind)
        if way == "pick" and of in POLICIES:
            behind |= {"sessions": session, "weigh": bool(said.pop("weigh", 0))}
            return Pick(fleet, random, {"policy": of, **_called(said)}, hashes=index, **behind)
        if way == "trial" and of in TRIALS:
            return OnTrial(fleet, random, TRIALS[of], hashes=index, **behind)
        raise UnknownArm(f"{name!r}: no such way, policy or rule")

    return make


ALONE: dict[str, Callable[[Fleet, Callable[[], float], int, str], Way]] = {
    "random": lambda fleet, random, gateways, of: Randomly(fleet, random),
    "round_robin": lambda fleet, random, gateways, of: RoundRobin(fleet, random, gateways),
    "own_counts": lambda fleet, random, gateways, of: OwnCounts(fleet, random, gateways),
    "oracle": lambda fleet, random, gateways, of: Oracle(fleet, random),
    "poll": lambda fleet, random, gateways, of: Polled(fleet, random, gateways, float(of)),
}


def lag(nodes: str, gauss: Callable[[float, float], float]) -> Lag:
    """Return how late another node's events are: as measured, or always the same."""
    if nodes == "mesh":
        sigma = log(MESH_P99 / MESH_P50) / P99_SIGMAS
        return lambda: MESH_P50 * exp(sigma * gauss(0.0, 1.0))
    seconds = int(nodes.removesuffix("ms")) / 1e3
    return lambda: seconds


def _called(members: dict[str, float]) -> dict[str, Any]:
    """Return the members of a pick call that say this."""
    weights = {name: members[name] for name in WEIGHTS if name in members}
    rest: dict[str, Any] = {name: value for name, value in members.items() if name not in weights}
    if "uncached" in rest:
        rest["uncached"] = bool(rest["uncached"])
    return {**rest, **({"weights": weights} if weights else {})}

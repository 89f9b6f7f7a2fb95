# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator should look at, on the overview. Pure: facts in, items out.

Each rule is one function in `RULES`. It returns one item or None, so the strip is as long as the table at most. To add
a rule, write its function, give `Facts` what it needs, and add it to the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from console.load import span
from console.nodes import COLD, PeersView, node_of
from console.numbers import count
from console.request_view import LONG_PREFILL_SECONDS
from runtime.health import PartReport, PartState

MOST_PLACES = 3
"""Links of one item. An operator starts with the worst; the item's number says how many there are."""

HOT_RATIO = 3.0
"""The busiest engine's requests over the mean of the others. A balanced gateway keeps below 1.5; at 3 requests wait on
one engine while others have room."""

HOT_REQUESTS = 10
"""Of the busiest engine, before the ratio counts. Chance alone makes 3 to 1 of fewer."""

LEAK_RATIO = 3.0
"""A gateway's requests over the mean of the others, from which it may leak if its oldest request is stale too."""

LEAK_REQUESTS = 10
"""Of a gateway, before the ratio counts."""

LEAST_GATEWAYS = 3
"""Of two gateways one may well be three times as busy as the other."""

NEAR_CAP = 0.8
"""The part of a cap from which it is near. What is left is the time to react."""

Level = Literal["bad", "warn", "note"]


class ActionLink(Struct, frozen=True):
    """Where to act: a page of this node.

    `words`: what the link says.
    `address`: the page with its filter.
    """

    words: str
    address: str


class Item(Struct, frozen=True):
    """One thing to look at.

    `key`: the rule's name, which stays the same while the numbers change.
    `level`: "bad" if something is lost or refused, "warn" if it will be, "note" if there is nothing to do: it explains
        what an operator sees.
    `count`: how many there are.
    `words`: a sentence.
    `places`: where to act, the worst first.
    """

    key: str
    level: Level
    count: int
    words: str
    places: tuple[ActionLink, ...]


class ClusterFacts(Struct, frozen=True):
    """A cluster's load.

    `name`: its name.
    `address`: its page.
    `engines`, `requests`: how many.
    `hottest`: the busiest engine; empty if all are idle.
    `most`: the requests of that engine.
    `stale_engines`: engines that hold requests without news.
    `stale_requests`: their requests.
    `orphaned_engines`, `orphaned_requests`: engines with orphaned requests, and these.
    """

    name: str
    address: str
    engines: int = 0
    requests: int = 0
    hottest: str = ""
    most: int = 0
    stale_engines: int = 0
    stale_requests: int = 0
    orphaned_engines: int = 0
    orphaned_requests: int = 0

    @property
    def ratio(self) -> float:
        """The busiest engine's requests over the mean of the others; 0 if there are no others."""
        others = self.engines - 1
        return self.most * others / max(self.requests - self.most, 1) if others > 0 else 0.0


class BusyGateway(Struct, frozen=True):
    """One of the gateways with most requests.

    `name`: its name, or the client that stands for it.
    `address`: the page that shows it.
    `requests`: in flight.
    `oldest_seconds`: since the oldest of them was added.
    """

    name: str
    address: str
    requests: int
    oldest_seconds: int


class GatewayFacts(Struct, frozen=True):
    """What the gateways hold.

    `count`: how many have requests in flight.
    `requests`: how many these are.
    `busiest`: those with most, at most `MOST_PLACES`.
    """

    count: int = 0
    requests: int = 0
    busiest: tuple[BusyGateway, ...] = ()

    def ratio(self, each: BusyGateway) -> float:
        """Return a gateway's requests over the mean of the others; 0 if there are too few to compare."""
        if self.count < LEAST_GATEWAYS:
            return 0.0
        return each.requests * (self.count - 1) / max(self.requests - each.requests, 1)


class PastCold(Struct, frozen=True):
    """A node that started cold.

    `node`: its name.
    `seconds`: how long ago.
    `ended`: it has said since then that it lacks nothing any more.
    """

    node: str
    seconds: float
    ended: bool = False


class Cap(Struct, frozen=True):
    """A bound, and how much of it is used.

    `what`: what it bounds.
    `used`, `most`: numbers.
    `setting`: its place in the configuration.
    `address`: where to look.
    """

    what: str
    used: int
    most: int
    setting: str
    address: str


class Facts(Struct, frozen=True):
    """What the rules read.

    `clusters`: the load of each cluster.
    `gateways`: what the gateways hold.
    `colds`: nodes that started cold in the last hour, the last one first.
    `long_prefills`: requests before their first token for longer than `LONG_PREFILL_SECONDS`.
    `peers`: this node among its peers.
    `parts`: the parts of this node.
    `caps`: the caps of this node, and the most that one client uses of its own.
    `refused_calls`: calls of present clients that were over their limit.
    `stale_seconds`: time without news after which an engine's requests are stale.
    `orphan_seconds`: how long orphaned requests are kept.
    `expire_seconds`: how long a request is kept that nobody ends, and a node is cold at most.
    """

    clusters: tuple[ClusterFacts, ...] = ()
    gateways: GatewayFacts = GatewayFacts()
    colds: tuple[PastCold, ...] = ()
    long_prefills: int = 0
    peers: PeersView = PeersView()
    parts: tuple[PartReport, ...] = ()
    caps: tuple[Cap, ...] = ()
    refused_calls: int = 0
    stale_seconds: float = 0.0
    orphan_seconds: float = 0.0
    expire_seconds: float = 0.0

    def cold_peers(self) -> list[PastCold]:
        """Return the peers that are cold now, each once."""
        return [each for each in self._colds_of_peers() if not each.ended and each.seconds < self.expire_seconds]

    def past_colds(self) -> list[PastCold]:
        """Return the nodes that were cold and are not now, each once."""
        now = {each.node for each in self.cold_peers()} | ({self._own} if self.peers.cold_since is not None else set())
        return [each for each in _last_of_each(self.colds) if each.node not in now]

    def _colds_of_peers(self) -> list[PastCold]:
        return [each for each in _last_of_each(self.colds) if each.node != self._own]

    @property
    def _own(self) -> str:
        return node_of(self.peers.origin)


def _last_of_each(colds: Iterable[PastCold]) -> list[PastCold]:
    """Return the last cold start of each node, of those in order with the last one first."""
    return list({each.node: each for each in reversed(list(colds))}.values())[::-1]


NODES = "/console/nodes/"
READINESS = "/readyz"
CLIENTS = "/v1/node/clients"
COLD_SECONDS = 3600
COLD_EVENTS = f"/console/events/?kind=cold_started&age={COLD_SECONDS}"
LONG_PREFILLS = f"/admin/loadstats/request/?phase=prefill&age={LONG_PREFILL_SECONDS}"


LEVELS: tuple[Level, ...] = ("bad", "warn", "note")


def attention(facts: Facts) -> list[Item]:
    """Return what to look at: what is bad first and notes last, in the order of `RULES`."""
    found = [item for rule in RULES if (item := rule(facts)) is not None]
    return sorted(found, key=lambda item: LEVELS.index(item.level))


def pressing(items: Iterable[Item]) -> int:
    """Return how many of the items are more than notes."""
    return sum(item.level != "note" for item in items)


def failed_parts(facts: Facts) -> Item | None:
    """Parts of this node that do not work as they should."""
    parts = [part for part in facts.parts if part["state"] in {PartState.FAILED, PartState.DEGRADED}]
    if not parts:
        return None
    named = _listed(f"{part['name']} is {part['state']}" for part in parts)
    level: Level = "bad" if any(part["state"] == PartState.FAILED for part in parts) else "warn"
    words = f"{named} on this node"
    return Item("health", level, len(parts), words, (ActionLink("Readiness", READINESS),))


def lost_peers(facts: Facts) -> Item | None:
    """Peers that do not answer."""
    lost = [peer for peer in facts.peers.peers if peer.state == "lost"]
    if not lost:
        return None
    named = _listed(peer.peer for peer in lost)
    words = f"{named} {_is(lost)} lost: {lost[0].error or 'no answer'}"
    return Item("lost", "bad", len(lost), words, (ActionLink("Nodes", NODES),))


def lagging_peers(facts: Facts) -> Item | None:
    """Peers that receive this node's events late."""
    late = [peer for peer in facts.peers.peers if peer.late and peer.state != "lost"]
    if not late:
        return None
    words = f"{_listed(peer.peer for peer in late)} {_is(late)} behind: this node's events arrive late"
    return Item("lag", "warn", len(late), words, (ActionLink("Nodes", NODES),))


def diverging_peers(facts: Facts) -> Item | None:
    """Peers that hold other requests than this node."""
    apart = [peer for peer in facts.peers.peers if peer.pulling_buckets and peer.state != "lost"]
    if not apart:
        return None
    words = f"This node and {_listed(peer.peer for peer in apart)} are out of sync; repairing"
    return Item("diverging", "warn", len(apart), words, (ActionLink("Nodes", NODES),))


def incomplete_nodes(facts: Facts) -> Item | None:
    """Nodes that may not know all requests: this one, or peers that are still catching up."""
    view = facts.peers
    behind = [peer.peer for peer in view.peers if peer.state == "connected" and not peer.joined]
    colds = facts.cold_peers()
    found = []
    if view.cold_since is not None:
        found.append(f"{COLD} ({view.cold_since[:19].replace('T', ' ')} UTC)")
    if not view.joined:
        found.append("This node is still catching up with its peers: its numbers are incomplete")
    if behind:
        found.append(f"{_listed(behind)} {_is(behind)} still catching up: numbers there are incomplete")
    if colds:
        since = f"{span(colds[0].seconds)} ago"
        words = (
            f"{_listed(each.node for each in colds)} {_is(colds)} cold, started {since}: requests may be missing there"
        )
        found.append(words)
    if not found:
        return None
    number = len(behind) + len(colds) + (view.cold_since is not None or not view.joined)
    return Item("cold", "warn", number, ". ".join(found), (ActionLink("Nodes", NODES),))


def near_caps(facts: Facts) -> Item | None:
    """Caps that are nearly reached, on this node and by one client."""
    near = sorted(
        (cap for cap in facts.caps if cap.used >= NEAR_CAP * cap.most), key=lambda cap: cap.most / max(cap.used, 1)
    )
    if not near:
        return None
    level: Level = "bad" if near[0].used >= near[0].most else "warn"
    named = _listed(f"{cap.what} {100 * cap.used // cap.most} % of {count(cap.most)} ({cap.setting})" for cap in near)
    places = tuple({cap.address: ActionLink(cap.what, cap.address) for cap in near}.values())
    return Item("caps", level, len(near), f"Close to a cap: {named}", places[:MOST_PLACES])


def refused_clients(facts: Facts) -> Item | None:
    """Calls that were refused because their client was over its limit."""
    if not facts.refused_calls:
        return None
    words = f"{_many(facts.refused_calls, 'call')} of connected clients refused: over [Quotas] CallsPerSecond"
    return Item("refused", "warn", facts.refused_calls, words, (ActionLink("Clients", CLIENTS),))


def orphaned_requests(facts: Facts) -> Item | None:
    """Requests whose gateway has fallen silent or started anew."""
    found = [cluster for cluster in facts.clusters if cluster.orphaned_requests]
    number = sum(cluster.orphaned_requests for cluster in found)
    if not number:
        return None
    engines = sum(cluster.orphaned_engines for cluster in found)
    words = (
        f"{_many(number, 'request')} on {_many(engines, 'engine')} orphaned: the gateway is silent. "
        f"They expire {span(facts.orphan_seconds)} after that"
    )
    places = _worst(found, lambda cluster: cluster.orphaned_requests, "orphaned")
    return Item("orphaned", "warn", number, words, places)


def stale_load(facts: Facts) -> Item | None:
    """Engines whose requests have had no news for long."""
    found = [cluster for cluster in facts.clusters if cluster.stale_engines]
    number = sum(cluster.stale_engines for cluster in found)
    if not number:
        return None
    requests = sum(cluster.stale_requests for cluster in found)
    holds = "holds" if number == 1 else "hold"
    words = (
        f"{_many(number, 'engine')} {holds} {_many(requests, 'request')} without news for "
        f"{span(facts.stale_seconds)}: the gateway may be gone"
    )
    return Item("stale", "warn", number, words, _worst(found, lambda cluster: cluster.stale_engines, "stale"))


def hot_engines(facts: Facts) -> Item | None:
    """Clusters with an engine that is far busier than the others."""
    found = [each for each in facts.clusters if each.most >= HOT_REQUESTS and each.ratio >= HOT_RATIO]
    if not found:
        return None
    worst = max(found, key=lambda cluster: cluster.ratio)
    more = f"; {_many(len(found) - 1, 'more cluster')} like it" if len(found) > 1 else ""
    words = (
        f"{worst.hottest} of {worst.name} has {_many(worst.most, 'request')}, "
        f"{worst.ratio:.1f} times the mean of the other engines{more}"
    )
    return Item("imbalance", "warn", len(found), words, _worst(found, lambda cluster: cluster.ratio, "busy"))


def leaking_gateways(facts: Facts) -> Item | None:
    """Gateways that hold far more requests than the others, and old ones."""
    gateways = facts.gateways
    found = [
        each
        for each in gateways.busiest
        if each.requests >= LEAK_REQUESTS
        and each.oldest_seconds >= facts.stale_seconds
        and gateways.ratio(each) >= LEAK_RATIO
    ]
    if not found:
        return None
    worst = found[0]
    more = f"; {_many(len(found) - 1, 'more gateway')} like it" if len(found) > 1 else ""
    words = (
        f"Gateway {worst.name} holds {_many(worst.requests, 'request')}, {gateways.ratio(worst):.1f} times the mean of "
        f"the other gateways, the oldest for {span(worst.oldest_seconds)}: it may not report their ends{more}"
    )
    return Item("leak", "warn", len(found), words, tuple(ActionLink(each.name, each.address) for each in found))


def past_colds(facts: Facts) -> Item | None:
    """Nodes that were cold in the last hour, which the charts still show. Their numbers are whole now."""
    found = facts.past_colds()
    if not found:
        return None
    when = f"{span(found[0].seconds)} ago"
    if len(found) > 1:
        when = f"in the last hour, the last one {when}"
    words = f"{_listed(each.node for each in found)} started cold {when}: charts of that time may lack requests"
    return Item("past_cold", "note", len(found), words, (ActionLink("Events", COLD_EVENTS),))


def long_prefills(facts: Facts) -> Item | None:
    """Requests that wait for their first token for too long."""
    number = facts.long_prefills
    if not number:
        return None
    words = f"{_many(number, 'request')} in prefill for more than {LONG_PREFILL_SECONDS} s: prefills take seconds"
    return Item("prefill", "warn", number, words, (ActionLink("Requests", LONG_PREFILLS),))


Rule = Callable[[Facts], Item | None]

RULES: tuple[Rule, ...] = (
    failed_parts,
    lost_peers,
    diverging_peers,
    lagging_peers,
    incomplete_nodes,
    near_caps,
    refused_clients,
    orphaned_requests,
    stale_load,
    hot_engines,
    leaking_gateways,
    long_prefills,
    past_colds,
)
"""The rules, the most pressing first."""


def _worst(
    clusters: Iterable[ClusterFacts], measure: Callable[[ClusterFacts], float], only: str
) -> tuple[ActionLink, ...]:
    """Return links to the clusters with most of something; their pages show the engines of one kind."""
    first = sorted(clusters, key=measure, reverse=True)[:MOST_PLACES]
    return tuple(ActionLink(cluster.name, f"{cluster.address}?only={only}") for cluster in first)


def _listed(words: Iterable[str]) -> str:
    """Return the first words and how many more there are."""
    all_ = list(words)
    more = len(all_) - MOST_PLACES
    return ", ".join(all_[:MOST_PLACES]) + (f" and {count(more)} more" if more > 0 else "")


def _many(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def _is(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One search over all that a node knows by name: requests, engines, clusters, gateways. Django's threads.

It looks at every name, some hundreds at a time with a pause in between, and keeps at most `MOST_SHOWN` of each kind.
A request is found by its whole id only: there may be millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from time import monotonic, sleep

from msgspec import Struct, field

from console.addresses import cluster_address, engine_address, gateway_address, request_address
from edge.caller import Caller
from edge.engine_name import EngineName
from edge.reach import within
from edge.typed_engine import as_part, typed_engines
from kvcache.index import CacheIndex
from loadstats.ledger import Ledger

MOST_SHOWN = 50
SLICE = 250  # names compared before others may run: 0.3 ms of CPU; 50,000 engines take 65 to 110 ms in all
HIT_WORK = 75  # names that may be compared while a hit and its address are made: 0.1 ms


class Hit(Struct, frozen=True):
    """Something that was found.

    `name`: what it is called.
    `address`: its page; empty if it has none.
    `cluster`: where an engine or a request is; empty for others.
    `note`: what else is known of it, in words.
    """

    name: str
    address: str
    cluster: str = ""
    note: str = ""


class Group(Struct):
    """What was found of one kind.

    `kind`: what it is, in the plural.
    `exact`: hits whose name is what was typed, in any spelling.
    `hits`: the exact ones and those that contain it, at most `MOST_SHOWN`.
    `count`: how many there are in all.
    `looked`: how many names were compared.
    """

    kind: str
    exact: list[Hit] = field(default_factory=list)
    partial: list[Hit] = field(default_factory=list)
    count: int = 0
    looked: int = 0

    @property
    def hits(self) -> list[Hit]:
        """All that are shown, the exact ones first."""
        return (self.exact + self.partial)[:MOST_SHOWN]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.hits)

    def add(self, make: Callable[[], Hit], *, exact: bool) -> bool:
        """Count a hit, and keep it if there is room. It is made only then. Returns whether it was."""
        self.count += 1
        kept = self.exact if exact else self.partial
        if room := len(kept) < MOST_SHOWN:
            kept.append(make())
        return room


class Findings(Struct, frozen=True):
    """What a search found, a group for each kind."""

    groups: tuple[Group, ...]

    @property
    def found(self) -> list[Group]:
        """The groups that have hits."""
        return [group for group in self.groups if group.count]

    @property
    def only(self) -> Hit | None:
        """The exact hit if there is one and no other."""
        exact = [hit for group in self.groups for hit in group.exact]
        return exact[0] if len(exact) == 1 and exact[0].address else None

    def looked(self, kind: str) -> int:
        """Return how many names of a kind were compared."""
        return sum(group.looked for group in self.groups if group.kind == kind)


def search(
    typed: str,
    ledger: Ledger,
    caches: CacheIndex | None,
    caller: Caller | None,
    *,
    now: Callable[[], float] = monotonic,
    pause: Callable[[float], object] = sleep,
) -> Findings:
    """Find what a text names. A caller whose key names clusters finds only what is in them."""
    paced = _Pace(pause)
    clusters = within(caller, dict.fromkeys([*ledger.clusters(), *(caches.clusters() if caches else ())]))
    groups = (
        _requests(typed, ledger, caller, now()),
        _engines(typed, ledger, caches, sorted(clusters), paced),
        _clusters(typed, clusters, paced),
        _gateways(typed, ledger, caller, paced),
    )
    return Findings(groups)


class _Pace:
    """Pauses between slices of names, so that the event loop has its turn."""

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._left = SLICE

    def over(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names."""
        for name in names:
            self.spend(1)
            yield name

    def spend(self, work: int) -> None:
        """Count work, in names compared."""
        self._left -= work
        if self._left <= 0:
            self._left = SLICE
            self._pause(0)


def _requests(typed: str, ledger: Ledger, caller: Caller | None, now: float) -> Group:
    group = Group("requests", looked=1)
    seen = ledger.requests.look(typed, now)
    if seen is not None and (not seen.cluster or within(caller, [seen.cluster])):
        note = f"{seen.phase} on {seen.ip}" if seen.ip else seen.phase
        hit = Hit(seen.request_id, request_address(seen.request_id), seen.cluster, note)
        group.add(lambda: hit, exact=True)
    return group


def _engines(typed: str, ledger: Ledger, caches: CacheIndex | None, clusters: list[str], pace: _Pace) -> Group:
    group = Group("engines")
    names, prefixes = _spelled(typed_engines(typed))
    part = as_part(typed)
    for cluster in clusters:
        listed = ledger.loads.engines(cluster)
        held = caches.engines(cluster) if caches else []
        for name in pace.over(chain(listed, (each for each in held if each not in listed))):
            group.looked += 1
            exact = name in names or name.startswith(prefixes)
            if exact or part in name:
                note = "" if name in listed else "known by its cache alone"
                if group.add(partial(_engine, cluster, name, note), exact=exact):
                    pace.spend(HIT_WORK)
    return group


def _engine(cluster: str, name: str, note: str) -> Hit:
    return Hit(name, engine_address(cluster, name), cluster, note)


def _spelled(wanted: Iterable[EngineName]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names that are what was typed, and how the names begin of engines at the address that was typed."""
    names, prefixes = set(), []
    for each in wanted:
        text = str(each)
        names.add(text)
        if each.is_address:
            host = f"[{each.ip}]" if ":" in each.ip else each.ip
            prefixes += [f"{host}:", f"{host}/"]
        elif each.dp_rank is None:
            prefixes.append(f"{text}/")
    return frozenset(names), tuple(prefixes)


def _clusters(typed: str, clusters: list[str], pace: _Pace) -> Group:
    group = Group("clusters", looked=len(clusters))
    for name in _containing(typed, clusters, pace):
        if group.add(partial(_cluster, name), exact=name == typed):
            pace.spend(HIT_WORK)
    return group


def _cluster(name: str) -> Hit:
    return Hit(name, cluster_address(name))


def _gateways(typed: str, ledger: Ledger, caller: Caller | None, pace: _Pace) -> Group:
    group = Group("gateways")
    owners = {owner.name: owner.requests_num for owner in ledger.requests.owners()}
    if caller is not None and caller.clusters:
        owners = {name: number for name, number in owners.items() if typed.lower() in name.lower()}
        owners = {n: number for n, number in owners.items() if within(caller, ledger.requests.clusters_of_owner(n))}
    group.looked = len(owners)
    for name in _containing(typed, owners, pace):
        if group.add(partial(_gateway, name, owners[name]), exact=name == typed):
            pace.spend(HIT_WORK)
    return group


def _gateway(name: str, requests: int) -> Hit:
    return Hit(name, gateway_address(name), note=f"{requests:,} in flight")


def _containing(typed: str, names: Iterable[str], pace: _Pace) -> list[str]:
    part = typed.lower()
    return sorted(name for name in pace.over(names) if part in name.lower())

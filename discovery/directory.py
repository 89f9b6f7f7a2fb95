# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The peers known at the moment, and the results of looking them up.

Look-ups run on the thread that calls `refresh`, one at a time. Any thread may read without a lock, because the
refreshing thread replaces what is read as a whole. Always holds: `peers` is sorted, without doubles and without this
node, and has at most MAX_PEERS; every change is logged once and reported to every listener once, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from discovery.host import Host
from discovery.service import LookupFailed, ServiceDiscovery
from runtime.config.endpoint import canonical_address
from runtime.health import PartState, rfc3339

logger = logging.getLogger(__name__)

# Every node sends to every other. An answer with more peers is probably wrong.
MAX_PEERS: Final = 64
MAX_REASON_CHARACTERS: Final = 300
PORTS: Final = range(1, 65536)

Listener = Callable[[tuple[Host, ...], tuple[Host, ...]], object]
"""Takes the peers added and those removed, each sorted, on the refreshing thread; `peers` has them already."""


class Lookups(Struct, frozen=True):
    """The look-ups so far. Stamps are wall time in seconds since 1970, None before the first.

    `successes`, `failures`: how many there were.
    `last_lookup`, `last_success`: when the last one, and the last good one, began.
    `last_duration_seconds`: how long the last one took.
    `last_error`: the text of the last failure.
    `failing_since`: when look-ups began to fail, None while they succeed.
    `hosts`: those of the last answer, with this node, without ports filled in.
    """

    successes: int = 0
    failures: int = 0
    last_lookup: float | None = None
    last_success: float | None = None
    last_duration_seconds: float | None = None
    last_error: str = ""
    failing_since: float | None = None
    hosts: tuple[Host, ...] = ()


class Directory:
    """Looks up peers and keeps them.

    `own` returns whether a host is this node. `clock` returns wall time, for people; `monotonic` decides. Both are in
    seconds.
    """

    def __init__(
        self,
        discovery: ServiceDiscovery,
        own: Callable[[Host], bool],
        *,
        target_port: int,
        grace_seconds: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._discovery = discovery
        self._own = own
        self._target_port = target_port
        self._grace = grace_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._refreshing = Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._peers: tuple[Host, ...] = ()
        self._lookups = Lookups()
        self._confirmed = monotonic()
        self._too_many = False

    def peers(self) -> tuple[Host, ...]:
        """Return all other nodes, each with its port."""
        return self._peers

    def lookups(self) -> Lookups:
        """Return the look-ups so far."""
        return self._lookups

    def subscribe(self, listener: Listener) -> None:
        """Report every change to the listener from now on. Subscribe before the first refresh to get them all."""
        self._listeners += (listener,)

    def refresh(self) -> bool:
        """Look the peers up once. Returns False, at once, if a look-up is running. Raises nothing."""
        if not self._refreshing.acquire(blocking=False):
            return False
        try:
            stamp, began = self._clock(), self._monotonic()
            try:
                hosts = _checked(self._discovery.hosts())
                error = "" if hosts else "an empty answer"
            except LookupFailed as failure:
                error = str(failure) or "no reason given"
            except Exception as failure:  # a user's class may raise anything
                error = f"{type(failure).__name__}: {failure}"
            now = self._monotonic()
            self._lookups = replace(self._lookups, last_lookup=stamp, last_duration_seconds=now - began)
            if error:
                self._fail(" ".join(error.split())[:MAX_REASON_CHARACTERS], stamp, now)
            else:
                self._succeed(hosts, stamp, now)
        finally:
            self._refreshing.release()
        return True

    def state(self) -> tuple[PartState, str]:
        """Return the state and a detail, for `/readyz`."""
        lookups = self._lookups
        known = f"peers known: {len(self._peers)}"
        if lookups.failing_since is not None:
            return PartState.DEGRADED, f"failing since {rfc3339(lookups.failing_since)}: {lookups.last_error}; {known}"
        return (PartState.OK, known) if lookups.last_success is not None else (PartState.STARTING, "not looked up yet")

    def _fail(self, error: str, stamp: float, now: float) -> None:
        last = self._lookups
        began = last.failing_since is None
        self._lookups = replace(
            last,
            failures=last.failures + 1,
            last_error=error,
            failing_since=stamp if began else last.failing_since,
        )
        if began:
            kept = f"the peers known are kept for {self._grace:g} s" if self._peers else "no peer is known"
            logger.warning("looking up peers fails: %s; %s", error, kept)
        if now - self._confirmed >= self._grace:
            self._change((), f" (no look-up has succeeded for {self._grace:g} s)")

    def _succeed(self, hosts: frozenset[Host], stamp: float, now: float) -> None:
        last = self._lookups
        if last.failing_since is not None:
            logger.info("looking up peers succeeds again, after %.0f s", stamp - last.failing_since)
        self._lookups = replace(
            last,
            successes=last.successes + 1,
            last_success=stamp,
            failing_since=None,
            hosts=tuple(sorted(hosts, key=str)[: MAX_PEERS + 1]),
        )
        self._confirmed = now
        others = {Host(host.address, host.port or self._target_port) for host in hosts if not self._own(host)}
        self._change(self._bounded(sorted(others)))

    def _bounded(self, peers: Sequence[Host]) -> tuple[Host, ...]:
        too_many = len(peers) > MAX_PEERS
        if too_many and not self._too_many:
            logger.warning("%d peers found, only the first %d are taken", len(peers), MAX_PEERS)
        self._too_many = too_many
        return tuple(peers[:MAX_PEERS])

    def _change(self, peers: tuple[Host, ...], why: str = "") -> None:
        before, self._peers = self._peers, peers
        added = tuple(sorted(set(peers).difference(before)))
        removed = tuple(sorted(set(before).difference(peers)))
        if not added and not removed:
            return
        logger.info("peers: added %s; removed %s%s; known: %d", _listed(added), _listed(removed), why, len(peers))
        for listener in self._listeners:
            try:
                listener(added, removed)
            except Exception:
                logger.exception("a listener failed on a change of peers")


def _checked(hosts: Sequence[Host]) -> frozenset[Host]:
    """Return the hosts with canonical addresses. Raises LookupFailed for a bad address or port."""
    return frozenset(map(_canonical, hosts))


def _canonical(host: Host) -> Host:
    try:
        if host.port is None or host.port in PORTS:
            return Host(canonical_address(str(host.address)), host.port)
    except (AttributeError, ValueError):
        pass
    raise LookupFailed(f"expected hosts with an IP address and a port from 1 to 65535 or none, got {host!r}")


def _listed(hosts: Sequence[Host]) -> str:
    return ", ".join(map(str, hosts)) or "none"

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""This node among its peers, as people want to see it: a map, a table, and what is wrong. Pure: JSON in, words out.

The shape is that of `GET /v1/replica/peers`; what a node does not say has a default, so that this page outlives a
change there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct, field

from console.load import age

BUCKETS = 1024  # of a snapshot: how much of one is still to come
LATE_SECONDS = 2.0  # events reach a peer within milliseconds; this late, somebody should know

COLD = "This node is cold: it may not know requests that were under way before it started"

MAP_WIDTH = 360
ROW_HEIGHT = 56


class Peer(Struct, frozen=True):
    """One peer, as this node sees it. `origin` is the peer's life (`node@epoch`), empty before it was
    heard of. `console_url`: where people reach its console; empty if that is its own address."""

    peer: str
    state: str = "new"
    since_seconds: float | None = None
    origin: str = ""
    joined: bool = True
    acknowledged: int = 0
    lag_events: int = 0
    lag_seconds: float = 0.0
    sent_events: int = 0
    lost_events: int = 0
    pulling_buckets: int = 0
    last_error: str = ""
    console_url: str = ""

    @property
    def since(self) -> str:
        """How long it has been in its state."""
        return "" if self.since_seconds is None else age(self.since_seconds)

    @property
    def error(self) -> str:
        """The last error, without the system's number for it."""
        return re.sub(r"^\[Errno -?\d+\] ", "", self.last_error)

    @property
    def late(self) -> bool:
        """Whether what this node was told does not reach the peer as it should."""
        return self.lag_seconds >= LATE_SECONDS

    @property
    def mood(self) -> str:
        """The class of the peer's line and dot."""
        if self.state == "lost":
            return "bad"
        if self.late or self.pulling_buckets or not self.joined:
            return "warn"
        return "ok" if self.state == "connected" else "quiet"


class LogNode(Struct, frozen=True):
    """Another node on the log."""

    origin: str = ""
    address: str = ""
    present: bool = True
    joined: bool = True
    silent_seconds: float = 0.0
    acknowledged: int = 0
    lag_events: int = 0

    @property
    def state(self) -> str:
        """How it is, in a word."""
        return "silent" if not self.present else "present" if self.joined else "joining"

    @property
    def mood(self) -> str:
        """The class of its state."""
        return "bad" if not self.present else "ok" if self.joined else "warn"


class LogView(Struct, frozen=True):
    """The log that a node shares with others."""

    server: str = ""
    version: str = ""
    up: bool = False
    reason: str = ""
    joined: bool = False
    entries: int = 0
    snapshot_age_seconds: float | None = None
    lag_events: int = 0
    nodes: tuple[LogNode, ...] = ()

    @property
    def snapshot_age(self) -> str:
        """How old the latest snapshot is."""
        return "none" if self.snapshot_age_seconds is None else age(self.snapshot_age_seconds)


class PeersView(Struct, frozen=True):
    """What one node knows of all.

    `vector`: the last event of each life before which it has seen all.
    `cold_since`: since when it may lack what was reported before it began; None if it lacks nothing.
    """

    origin: str = ""
    joined: bool = True
    cold_since: str | None = None
    vector: Mapping[str, int] = field(default_factory=dict)
    peers: tuple[Peer, ...] = ()
    log: LogView | None = None


class Place(Struct, frozen=True):
    """A peer on the map: its middle, and the line that leads there. `watermark`: how many of its events are here."""

    peer: Peer
    watermark: int
    y: float
    line: str
    words: str


class Seen(Struct, frozen=True):
    """One life of a node, and how many of its events are here."""

    node: str
    started: str
    watermark: int
    current: bool


class Trouble(Struct, frozen=True):
    """What an operator should know. `level` is "bad" or "warn"."""

    level: str
    words: str


def troubles(view: PeersView) -> list[Trouble]:
    """What keeps this node and its peers from being equal, the worst first.

    Without numbers that move: this is read aloud when it changes. `peers.js` says the same.
    """
    found = [
        Trouble("bad", f"{peer.peer} is lost: {peer.error or 'it does not answer'}")
        for peer in view.peers
        if peer.state == "lost"
    ]
    if view.log is not None and not view.log.up:
        found.append(Trouble("bad", f"The log at {view.log.server} is away: {view.log.reason}"))
    if not view.joined:
        found.append(Trouble("warn", "This node is still catching up with its peers: its numbers are incomplete"))
    if view.cold_since is not None:
        found.append(Trouble("warn", f"{COLD} ({view.cold_since[:19].replace('T', ' ')} UTC)"))
    for peer in view.peers:
        if peer.pulling_buckets:
            found.append(Trouble("warn", f"This node and {peer.peer} are out of sync; repairing"))
        if peer.state != "lost" and peer.late:
            found.append(Trouble("warn", f"{peer.peer} is behind: it does not receive this node's events in time"))
        if peer.state == "connected" and not peer.joined:
            found.append(Trouble("warn", f"{peer.peer} is still catching up: its numbers are incomplete"))
    return found


def places(view: PeersView) -> list[Place]:
    """The peers one below the other on the right, this node on the left in the middle of them."""
    middle = map_height(view) / 2
    found = []
    for number, peer in enumerate(view.peers):
        y = ROW_HEIGHT * (number + 0.5)
        line = f"M57 {middle:g}C130 {middle:g} 95 {y:g} 158 {y:g}"
        found.append(Place(peer, view.vector.get(peer.origin, 0), y, line, _words(peer)))
    return found


def map_height(view: PeersView) -> int:
    """In the units of `MAP_WIDTH`."""
    return ROW_HEIGHT * max(1, len(view.peers))


def seen(view: PeersView) -> list[Seen]:
    """The watermarks: lives that go on first, then those that are over, each by node."""
    current = {view.origin, *(peer.origin for peer in view.peers)}
    lives = [
        Seen(node_of(origin), _started(origin), watermark, origin in current)
        for origin, watermark in view.vector.items()
    ]
    return sorted(lives, key=lambda life: (not life.current, life.node, life.started))


def node_of(origin: str) -> str:
    """The node whose life an origin is."""
    return origin.rpartition("@")[0] or origin


def started_seconds(origin: str) -> float | None:
    """When that life began, in seconds since the epoch; None where the origin does not say."""
    try:
        return int(origin.rpartition("@")[2], 16) / 1e9
    except ValueError:
        return None


def _started(origin: str) -> str:
    seconds = started_seconds(origin)
    return "" if seconds is None else utc(seconds)


def utc(seconds: float) -> str:
    """A wall-clock time to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _for(peer: Peer) -> str:
    return f" for {peer.since}" if peer.since and peer.since != "now" else ""


def _words(peer: Peer) -> str:
    if peer.pulling_buckets:
        return f"{peer.state}, {peer.pulling_buckets} of {BUCKETS} buckets to come"
    if peer.late:
        return f"{peer.state}, {peer.lag_events:,} events behind"
    return peer.state if peer.state == "connected" else f"{peer.state}{_for(peer)}"

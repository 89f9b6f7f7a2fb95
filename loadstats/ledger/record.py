# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A request's record. It only ever moves forward, and merging two copies takes the later attempt, and of equal ones the
later phase.

Owned by the ledger and changed under its lock. `gc=False`: measured with 1,000,000 records, a full collection stops
everything for 4 ms, with tracked `__slots__` classes for 164 ms. The price: records are freed by reference counts
alone, so the ledger unlinks them from its queues when it drops them.
"""

from __future__ import annotations

from zlib import crc32

from msgspec import Struct, field

from loadstats.ledger.client import LedgerClient
from loadstats.ledger.cluster import Engine
from loadstats.ledger.expiry_queue import ExpiryQueue, Link
from loadstats.ledger.phase import DECODE, PREFILL, Phase

_MASK = 2**64 - 1


class Origin(Struct, frozen=True, weakref=True):
    """A node that takes requests from clients, in one of its lives.

    `name`: `node@epoch`.
    `fingerprint`: 64 bits of the name, for digests.
    """

    name: str
    fingerprint: int

    @classmethod
    def of(cls, name: str) -> Origin:
        """Return the origin of this name. It is the same on every node."""
        return cls(name, crc32(name.encode()) * 0x9E3779B97F4A7C15 & _MASK)


class Owner(Link, gc=False):
    """A gateway that requests name, or that sends heartbeats.

    It falls due when its last heartbeat has lapsed, and again when no request from before that can be under way.

    `name`: the gateway's name.
    `beat_ms`: when the last heartbeat was taken, in wall-clock ms of the node that took it; 0 before the first.
    `due_tick`: until when the last heartbeat holds.
    `alive`: whether it holds now.
    `requests`: its requests in flight that name no incarnation, under `HELD` or `ORPHANED` as they are counted.
    `requests_num`: how many it has in flight, those of its incarnations included.
    `incarnations`: its incarnations that are remembered, the one last heard of at the end.
    `present`: the incarnation that stands; None where none was named.
    `known_until`: the tick until which its incarnations are remembered, whatever else it does.
    `client`: the client that was the first to name it; None where a peer was.
    `heard_tick`: when it was last heard of, or had requests when it was looked at.
    """

    name: str = ""
    beat_ms: int = 0
    due_tick: int = 0
    alive: bool = False
    requests: ExpiryQueue[RecordExtras] = field(default_factory=ExpiryQueue)
    requests_num: int = 0
    incarnations: dict[str, Incarnation] = field(default_factory=dict)
    present: Incarnation | None = None
    known_until: int = 0
    client: LedgerClient | None = None
    heard_tick: int = 0

    @property
    def lapsed(self) -> bool:
        """Whether it sent heartbeats, and sends none any more."""
        return self.beat_ms > 0 and not self.alive


HELD, ORPHANED = 0, 1


class Incarnation(Struct, gc=False, eq=False):
    """One life of a gateway, as its adds and heartbeats name it.

    Owner and incarnation point at each other, so `Owner.incarnations` is cleared before the owner is dropped.

    `owner`: the gateway.
    `name`: what the gateway calls this life.
    `since_ms`: when it was first seen, in wall-clock ms of the node that saw it. Where two nodes did, the earlier.
    `superseded`: another incarnation of the gateway was first seen later.
    `heard_tick`: when it was last heard of.
    `requests`: its requests in flight, under `HELD` or `ORPHANED` as they are counted.
    `requests_num`: how many those are.
    """

    owner: Owner
    name: str
    since_ms: int
    superseded: bool = True
    heard_tick: int = 0
    requests: ExpiryQueue[RecordExtras] = field(default_factory=ExpiryQueue)
    requests_num: int = 0

    @property
    def rank(self) -> tuple[int, str]:
        """What decides which of two stands: the larger one does."""
        return self.since_ms, self.name


class RecordExtras(Link, gc=False):
    """What only some requests have: tokens, a refresh, an owner, a later attempt.

    It is in one list of its owner's requests while in flight.

    Record and extras point at each other, so `Record.extras` is cleared before the record is dropped.

    `record`: the record.
    `input_tokens`, `output_tokens`: what the request holds on its engine, in all; the larger value wins.
    `refreshed_ms`: the last refresh, in wall-clock milliseconds of the node that took it; the later one wins.
    `owner`: the gateway that answers for it.
    `orphaned`: it is counted as one whose owner has lapsed.
    `attempt`: which attempt of the request this is. What is over has extras only if this is not 1.
    `orphaned`: it is counted as one whose owner has lapsed or started anew.
    `incarnation`: the incarnation of the owner that its add named; None where it named none.
    `doubted_until`: until when a living owner protects it, where its end may be lost with a former life of this node.
        None once it was reported about again, and for what was never in doubt.
    """

    record: Record | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    refreshed_ms: int = 0
    owner: Owner | None = None
    orphaned: bool = False
    attempt: int = 1
    incarnation: Incarnation | None = None
    doubted_until: int | None = None

    @property
    def superseded(self) -> bool:
        """Whether the incarnation that it names has given way to a later one."""
        return self.incarnation is not None and self.incarnation.superseded


class Record(Link, gc=False):
    """One request.

    `request_id`: its id.
    `engine`: where it runs; None for a stub, a call that overtook the add that names the engine.
    `prompt_length`: of its prompt, in the gateway's unit.
    `phase`: how far it has come.
    `since_tick`: when it was added, on this node's clock.
    `due_tick`: when it expires, or is forgotten once it is over.
    `origin`, `seq`: the dot of its add, that is the node that took it and the number of the event; None and 0 where
    the record is not replicated.
    `extras`: what only some requests have.
    `cause`: why it ended, a byte as in `cause.py`; 0 while it has not.
    `client`: the client whose call made this record here; None where a peer's event or copy did.
    """

    request_id: str = ""
    engine: Engine | None = None
    prompt_length: int = 0
    phase: Phase = PREFILL
    since_tick: int = 0
    due_tick: int = 0
    origin: Origin | None = None
    seq: int = 0
    extras: RecordExtras | None = None
    cause: int = 0
    client: LedgerClient | None = None


def attempt_of(record: Record) -> int:
    """Return which attempt of its request a record is about."""
    extras = record.extras
    return 1 if extras is None else extras.attempt


def confirm(record: Record) -> None:
    """Note that a request was reported about: it is no longer in doubt."""
    if record.extras is not None:
        record.extras.doubted_until = None


def fingerprint(record: Record, crc: int) -> int:
    """Return 64 bits of a live record that differ where two nodes' copies of it differ; 0 for one without a dot.

    `crc` is the CRC-32 of the request id. XORed over a bucket, fingerprints make its digest.
    """
    origin = record.origin
    if origin is None:
        return 0
    mixed = crc * 0xC2B2AE3D27D4EB4F ^ record.seq * 0x165667B19E3779F9 ^ origin.fingerprint
    if record.phase is DECODE:
        mixed ^= crc * 0x27D4EB2F165667C5
    extras = record.extras
    if extras is not None:  # 0 where there is but an owner: that came with the dot, or found no room
        mixed ^= (
            extras.input_tokens * 0xD6E8FEB86659FD93
            ^ extras.output_tokens * 0xA0761D6478BD642F
            ^ extras.refreshed_ms * 0xE7037ED1A0B428DB
            ^ (extras.attempt - 1) * 0x8EBC6AF09C88C6E3
        ) * (crc | 1)
    return mixed & _MASK

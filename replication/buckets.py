# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How whole buckets of an entity are asked for and answered: one Want and one State for all entities.

Immutable and pure; used on the event loop. A `Layout` knows how the two travel. Most entities use the plain layout of a
State, `[version, buckets, origin]`. An entity with something to merge before its buckets uses `[version, whole, before,
buckets, origin]`. `docs/protocol.md` describes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from edge.errors import InvalidInput
from replication.features import FEATURES, FeatureNames

BucketsT = TypeVar("BucketsT")
BeforeT = TypeVar("BeforeT")

MAX_BEFORE = 100_000
StateOrigin = Annotated[str, Meta(max_length=128)]

_encode = Encoder().encode


class Want(Struct, frozen=True, array_like=True):
    """Asks a peer for whole buckets of one entity.

    `version`: the protocol's.
    `buckets`: their numbers, in the order in which the answers are wanted.
    `features`: what the asking node understands; see `features.py`.
    """

    version: int
    buckets: list[int]
    features: FeatureNames = []

    def rest(self, state: State) -> list[int]:
        """Return what is still wanted after an answer. Raises InvalidInput if the answer is no progress."""
        came = {bucket for bucket, _ in state.buckets}
        if not came or not came.issubset(self.buckets):
            raise InvalidInput("state: expected some of the buckets wanted, and no others")
        return [bucket for bucket in self.buckets if bucket not in came]


class State(Struct, frozen=True):
    """The first of the buckets wanted, as many as make one answer, at least one.

    `version`: the protocol's.
    `buckets`: pairs of a bucket's number and all copies in it.
    `before`: what is to be merged before the buckets.
    `whole`: whether the sender holds all that its watermarks cover, but for what it has evicted.
    `features`: what the sender understands, by its Summary. It is not sent with a State.
    `origin`: the sender's own; empty from nodes of the first release, and in files.
    """

    version: int
    buckets: Sequence[tuple[int, Sequence[Any]]]
    before: Sequence[Any] = ()
    whole: bool = True
    features: frozenset[str] = FEATURES
    origin: str = ""


class _WantOnWire(Struct, Generic[BucketsT], frozen=True, array_like=True):
    version: int
    buckets: BucketsT
    features: FeatureNames = []


class _PlainState(Struct, Generic[BucketsT], frozen=True, array_like=True):
    version: int
    buckets: BucketsT
    origin: StateOrigin = ""


class _StateWithBefore(Struct, Generic[BeforeT, BucketsT], frozen=True, array_like=True):
    version: int
    whole: bool
    before: BeforeT
    buckets: BucketsT
    origin: StateOrigin = ""


class Layout:
    """How an entity's Want and State travel, and within which bounds.

    `copy`: the struct of a copy.
    `buckets`: how many buckets the entity has.
    `before`: the struct of what comes before the buckets, at most `MAX_BEFORE` of them; None for the plain layout.
    """

    def __init__(self, copy: type[Struct], buckets: int, before: type[Struct] | None = None) -> None:
        number = Annotated[int, Meta(ge=0, lt=buckets)]
        numbers = Annotated[list[number], Meta(min_length=1, max_length=buckets)]
        pairs = Annotated[list[tuple[number, list[copy]]], Meta(max_length=buckets)]  # type: ignore[valid-type]
        self._read_want = Decoder(_WantOnWire[numbers]).decode
        self._plain = before is None
        self._read_state: Any
        if before is None:
            self._read_state = Decoder(_PlainState[pairs]).decode
        else:
            befores = Annotated[list[before], Meta(max_length=MAX_BEFORE)]  # type: ignore[valid-type]
            self._read_state = Decoder(_StateWithBefore[befores, pairs]).decode

    def read_want(self, body: bytes) -> Want:
        """Decode a Want. Raises msgspec's DecodeError or ValidationError."""
        message = self._read_want(body)
        return Want(message.version, message.buckets, message.features)

    def read_state(self, body: bytes) -> State:
        """Decode a State. Raises msgspec's DecodeError or ValidationError."""
        message = self._read_state(body)
        if self._plain:
            return State(message.version, message.buckets, origin=message.origin)
        return State(message.version, message.buckets, message.before, message.whole, origin=message.origin)

    def write_state(self, state: State) -> bytes:
        """Encode a State."""
        end = (state.origin,) if state.origin else ()
        if self._plain:
            return _encode((state.version, state.buckets, *end))
        return _encode((state.version, state.whole, state.before, state.buckets, *end))

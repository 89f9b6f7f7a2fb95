# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What nodes push to each other and how it is acknowledged, in msgpack arrays.

`docs/protocol.md` describes every message. All are immutable. Bounds are the same as for clients' calls: a bad peer
cannot do more harm than a bad client. What nodes compare is `entities.Summary`; what they pull is in `buckets.py`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from replication.entities import Event, Number, OriginName
from replication.features import FeatureNames
from runtime.config.console_url import MAX_URL

MAX_EVENTS = 1024  # of one push: 1.5 ms of the receiver's loop


class Push(Struct, frozen=True, array_like=True):
    """Events of the sender's own clients. Without events it is a sign of life.

    `version`: the protocol's.
    `origin`: the sender's own.
    `first`: the number of the first event.
    `oldest`: the number of the first event that the sender can still push. A receiver that lacks the one before it must
        pull.
    `age_ms`: how long ago the first event was taken.
    `events`: numbers `first` and on.
    `later_seconds`: how many seconds after the first each was taken; empty if all were within one.
    """

    version: int
    origin: OriginName
    first: Number
    oldest: Number
    age_ms: Number
    events: Annotated[list[Event], Meta(max_length=MAX_EVENTS)]
    later_seconds: Annotated[list[Number], Meta(max_length=MAX_EVENTS)] = []


class Ack(Struct, frozen=True, array_like=True):
    """The answer to a push.

    `version`: the protocol's.
    `origin`: the receiver's own. Another one than last time says that it began anew.
    `watermark`: every event of the sender up to this number is in.
    `joined`: whether the receiver has caught up and is ready.
    `features`: what the receiver understands; see `features.py`.
    `console_url`: where people reach the receiver's console; empty if it does not say.
    """

    version: int
    origin: OriginName
    watermark: Number
    joined: bool
    features: FeatureNames = []
    console_url: Annotated[str, Meta(max_length=MAX_URL)] = ""

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients report, as the ledger tells it to its journal and takes it from peers. Immutable.

As msgpack arrays, tagged by number, these are what nodes send each other; `docs/protocol.md` describes them. Bounds are
the same as for clients' calls: a bad peer cannot do more harm than a bad client.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=256)]


class Added(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A client sent a request to an engine."""

    request_id: Name
    cluster: Name
    ip: Annotated[str, Meta(min_length=1, max_length=45)]
    prompt_length: Annotated[int, Meta(ge=0, le=2**31 - 1)]


class FirstToken(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A client saw a request's first token."""

    request_id: Name


class Done(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A client ended a request."""

    request_id: Name


Event = Added | FirstToken | Done

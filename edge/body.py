# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Request bodies: read into structs, with errors that name the member, and the types that all calls share.

Immutable but for the cache of engine addresses. Bounds on lengths keep a client from filling the node's memory with a
few names.
"""

from __future__ import annotations

from logging import DEBUG, getLogger
from socket import AF_INET, AF_INET6, inet_pton
from typing import Annotated, Generic, TypeVar

from msgspec import DecodeError, Meta, ValidationError
from msgspec.json import Decoder

from edge.errors import InvalidInput
from edge.unknown_members import UnknownMembers

ROOT_LOGGER = getLogger()  # the one whose level `runtime/logs` sets

MAX_NAME = 256
MAX_HASH = 2**64 - 1
INT64 = {"format": "int64"}  # for generators of clients

# msgspec's own bounds end at 2**63 - 1; the handlers check the upper one.
Hash = Annotated[int, Meta(ge=0, extra_json_schema={"maximum": MAX_HASH})]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, description="1 to 256 characters")]
EngineAddress = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=45,
        description="IPv4 or IPv6 address of the engine",
        extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},  # `Addresses` checks it
    ),
]

BodyT = TypeVar("BodyT")


class Body(Generic[BodyT]):
    """Reads bodies of one type. Unknown members are ignored, as gateways send more than is needed.

    `watched`: at DEBUG they are logged, each name once. What is read a second time needs no watch.
    """

    def __init__(self, type_: type[BodyT], *, watched: bool = True) -> None:
        self._decode = Decoder(type_).decode
        self._unknown = UnknownMembers() if watched else None

    def read(self, body: bytes) -> BodyT:
        """Return the body's object. Raises InvalidInput that names the wrong member."""
        try:
            found = self._decode(body)
        except ValidationError as error:
            raise InvalidInput(_reason(str(error))) from None
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"body: expected one JSON object: {error}") from None
        if ROOT_LOGGER.level <= DEBUG and self._unknown is not None:  # 0.01 µs; `isEnabledFor` would take 0.04
            self._unknown.look(body, found)
        return found


def _reason(error: str) -> str:
    """Turn msgspec's ``Expected `int` - at `$.prompt_length` `` into ``prompt_length: expected `int` ``."""
    text, _, place = error.partition(" - at `$")
    text = text[:1].lower() + text[1:]
    return f"{place.strip('`.')}: {text}" if place else f"body: {text}"


class Addresses:
    """Checks engines' addresses and remembers those that are right: checking one takes 0.4 µs.

    Any thread may call it; the set is only ever added to or replaced.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._seen: set[str] = set()

    def check(self, ip: str) -> None:
        """Raise InvalidInput if `ip` is neither an IPv4 nor an IPv6 address."""
        if ip in self._seen:
            return
        try:  # as strict as `ipaddress` and ten times as fast; no zones, which mean nothing elsewhere
            inet_pton(AF_INET6 if ":" in ip else AF_INET, ip)
        except (OSError, ValueError):
            raise InvalidInput(f"ip: expected an IPv4 or IPv6 address, got {ip!r}") from None
        if len(self._seen) >= self._capacity:
            self._seen = set()
        self._seen.add(ip)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' bodies, as they come over the wire. Immutable but for the cache of engine addresses.

Bounds on lengths keep a client from filling the node's memory with a few names.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Generic, TypeVar

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.json import Decoder

from metadata_center.errors import InvalidInput

MAX_PROMPT_LENGTH = 2**31 - 1

Name = Annotated[str, Meta(min_length=1, max_length=256, description="1 to 256 characters")]
RequestId = Annotated[str, Meta(min_length=1, max_length=256, description="1 to 256 characters")]
PromptLength = Annotated[int, Meta(ge=0, le=MAX_PROMPT_LENGTH, description="in the gateway's own unit")]
Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Add(Struct, gc=False):
    """`POST /v1/load/stats`: a request was sent to an engine. `timestamp` is accepted and not used."""

    cluster: Name
    request_id: RequestId
    ip: Annotated[str, Meta(min_length=1, max_length=45, description="IPv4 or IPv6 address of the engine")]
    prompt_length: PromptLength | None = None
    timestamp: Nanoseconds | None = None


class Ended(Struct, gc=False):
    """`DELETE /v1/load/prompt` and `DELETE /v1/load/stats`: a request's prefill, or the request, is over."""

    request_id: RequestId


BodyT = TypeVar("BodyT")


class Body(Generic[BodyT]):
    """Reads bodies of one type. Unknown members are ignored, as gateways send more than is needed."""

    def __init__(self, type_: type[BodyT]) -> None:
        self._decode = Decoder(type_).decode

    def read(self, body: bytes) -> BodyT:
        """The body's object. Raises InvalidInput naming the member that is wrong."""
        try:
            return self._decode(body)
        except ValidationError as error:
            raise InvalidInput(_reason(str(error))) from None
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"body: expected one JSON object: {error}") from None


def _reason(error: str) -> str:
    """msgspec's ``Expected `int` - at `$.prompt_length` `` as ``prompt_length: expected `int` ``."""
    text, _, place = error.partition(" - at `$")
    text = text[:1].lower() + text[1:]
    return f"{place.strip('`.')}: {text}" if place else f"body: {text}"


class Addresses:
    """Tells engine addresses from other text, and remembers those it has seen: parsing one takes 3 µs.

    Any thread may ask; the set is only ever added to or replaced.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._seen: set[str] = set()

    def check(self, ip: str) -> None:
        """Raise InvalidInput where `ip` is neither an IPv4 nor an IPv6 address."""
        if ip in self._seen:
            return
        try:
            ip_address(ip.replace("%", "zone"))  # the zone of a link-local address means nothing elsewhere
        except ValueError:
            raise InvalidInput(f"ip: expected an IPv4 or IPv6 address, got {ip!r}") from None
        if len(self._seen) >= self._capacity:
            self._seen = set()
        self._seen.add(ip)

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines of a replay: invented addresses, their rows, and their service times. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from msgspec import Struct

# As many as a node takes by default.
MAX_ENGINES = 100_000


class ReplayEngine(Struct, frozen=True, gc=False):
    """One engine's row in a node's answer. Further members are ignored."""

    ip: str
    queued_req_num: int
    prompt_length: int


def addresses(engines: int) -> list[str]:
    """Return `engines` addresses of 10.0.0.0/8, always the same."""
    first = int(IPv4Address("10.0.0.1"))
    return [str(IPv4Address(first + index)) for index in range(engines)]


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """An engine's service time: linear in the tokens, close to one large GPU server.

    `speed` is how many times faster than such a server the modelled engines are.
    """

    speed: float = 1.0
    prefill_seconds_per_token: float = 0.0002
    decode_seconds_per_token: float = 0.02

    def prefill(self, input_tokens: int) -> float:
        """Return the seconds from a request's start to its first token."""
        return input_tokens * self.prefill_seconds_per_token / self.speed

    def decode(self, output_tokens: int) -> float:
        """Return the seconds from the first token to the last."""
        return output_tokens * self.decode_seconds_per_token / self.speed

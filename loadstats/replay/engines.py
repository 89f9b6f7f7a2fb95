# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines of a replay: made-up addresses, what a node says of one, and how long one takes over a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from msgspec import Struct

# As many as a node takes by default.
MAX_ENGINES = 100_000


class ReplayEngine(Struct, frozen=True, gc=False):
    """One engine's row in a node's answer; its further members are not looked at."""

    ip: str
    queued_req_num: int
    prompt_length: int


def addresses(engines: int) -> list[str]:
    """`engines` addresses out of 10.0.0.0/8, always the same."""
    first = int(IPv4Address("10.0.0.1"))
    return [str(IPv4Address(first + index)) for index in range(engines)]


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """How long an engine takes: a straight line through the tokens, near what one large GPU server does.

    `speed` is how many times faster than such a server the modelled engines are.
    """

    speed: float = 1.0
    prefill_seconds_per_token: float = 0.0002
    decode_seconds_per_token: float = 0.02

    def prefill(self, input_tokens: int) -> float:
        """Seconds from the request's start to its first token."""
        return input_tokens * self.prefill_seconds_per_token / self.speed

    def decode(self, output_tokens: int) -> float:
        """Seconds from the first token to the last."""
        return output_tokens * self.decode_seconds_per_token / self.speed

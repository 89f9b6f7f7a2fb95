# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at what the gateways hold, for the attention strip. Runs on Django's threads, one at a time."""

from __future__ import annotations

from heapq import nlargest
from time import sleep

from console.addresses import gateway_address
from console.attention import MOST_PLACES, BusyGateway, GatewayFacts
from loadstats.ledger import Census, GatewayCensus
from loadstats.part import LoadStats
from runtime.running import part

MOST_SLICES = 64
"""Slices of a census that one look takes part in: 40 ms, 24,000 requests. The next look goes on."""


class GatewayLook:
    """Takes its turns at the census that all share. A large ledger is counted in several looks."""

    def __init__(self) -> None:
        self._facts = GatewayFacts()

    def facts(self) -> GatewayFacts:
        """Take some turns, and return the facts of the last whole census."""
        turns = part(LoadStats).census.latest()
        for _ in range(MOST_SLICES):
            try:
                next(turns)
            except StopIteration as done:
                self._facts = gateway_facts(done.value[0])
                break
            sleep(0)
        return self._facts


def gateway_facts(census: Census) -> GatewayFacts:
    """Add up the gateways that have requests in flight. Other nodes stand for many gateways and are left out."""
    held = [(sum(tally.requests for tally in each.clusters.values()), each) for each in census.gateways]
    held = [(requests, each) for requests, each in held if requests and each.kind != "node"]
    busiest = nlargest(MOST_PLACES, held, key=lambda pair: pair[0])
    return GatewayFacts(
        len(held),
        sum(requests for requests, _ in held),
        tuple(
            BusyGateway(each.name, gateway_address(each.name), requests, _oldest(census, each))
            for requests, each in busiest
        ),
    )


def _oldest(census: Census, each: GatewayCensus) -> int:
    first = min(tally.oldest_tick for tally in each.clusters.values() if tally.requests)
    return max(0, census.tick - first)

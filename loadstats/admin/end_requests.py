# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of many requests at once: those that a filter finds, or all of a gateway. Runs on Django's threads.

The confirmation says how many there are. Both the count and the end look at every record, a slice at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic, sleep

from django.contrib.admin.models import DELETION

from edge.errors import InvalidInput, NotFound
from edge.live_admin import Operation, Question, Values
from loadstats.admin.typed_engine import as_listed
from loadstats.bulk_end import count_requests, end_requests
from loadstats.ledger import IN_FLIGHT, Filter
from loadstats.part import LoadStats
from runtime.running import part

CHOSEN = {"owner": "gateway", "client": "client", "cluster": "cluster", "ip": "engine", "phase": "phase", "age": "age"}
"""What chooses requests, in words."""


class EndRequests(Operation):
    codename = "end_requests"
    permission = "end_request"
    title = "End all of these requests"
    button = "End them all"
    members = tuple(CHOSEN)
    flag = DELETION

    def ask(self, values: Values) -> Question:
        found = _whole(count_requests(part(LoadStats).ledger, _filter(values), monotonic()))
        if not found:
            raise NotFound(f"No matching requests in flight: {_words(values)}.")
        number = "1 request" if found == 1 else f"{found:,} requests"
        return Question(
            f"End {number}?",
            "They end as if their clients had said so: the load of their engines falls at once, here and on every other"
            " node. The engines keep generating. Requests that begin after your yes are not touched.",
            tuple((CHOSEN[name], _shown(name, value)) for name, value in values.items() if value),
        )

    def perform(self, values: Values) -> str:
        found = part(LoadStats)
        ended = _whole(end_requests(found.ledger, _filter(values), monotonic()))
        found.census.renew()
        return f"{ended:,} request{'' if ended == 1 else 's'} ended: {_words(values)}."

    def target(self, values: Values) -> str:
        return _words(values)


def _filter(values: Values) -> Filter:
    """Return which requests the values choose. Raises InvalidInput if they choose all, or say what is none."""
    if not any(value for name, value in values.items() if name != "phase"):
        raise InvalidInput("Choose a gateway, a cluster, an engine or an age first: this would end every request.")
    if values["owner"] and values["client"]:
        raise InvalidInput("owner: expected no client beside it")
    if values["phase"] not in {"", "flight", *IN_FLIGHT}:
        raise InvalidInput("phase: expected flight, prefill or decode, as no other request is in flight")
    age = values["age"] or "0"
    if not (age.isascii() and age.isdecimal() and len(age) < 10):
        raise InvalidInput(f"age: expected seconds, got {age[:80]!r}")
    phases = frozenset({values["phase"]}) if values["phase"] in IN_FLIGHT else IN_FLIGHT
    ip = as_listed(values["ip"]) if values["ip"] else ""
    return Filter(values["cluster"], ip, phases, int(age), values["owner"], values["client"])


def _words(values: Values) -> str:
    """Return what chooses the requests, on one line."""
    return ", ".join(f"{CHOSEN[name]} {_shown(name, value)}" for name, value in values.items() if value)


def _shown(name: str, value: str) -> str:
    if name == "age":
        return f"over {value} s"
    return "in flight" if name == "phase" and value == "flight" else value


def _whole(work: Generator[None, None, int]) -> int:
    """Return what comes of the work. Other threads have their turn after each slice."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return int(done.value)
        sleep(0)

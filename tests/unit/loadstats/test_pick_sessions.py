# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A session stays with the engine that served it last."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.ledger import Ledger
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.sessions import Sessions

ENGINES = [f"10.0.0.{number}" for number in range(1, 9)]


class Gateway:
    def __init__(self, **options: Any) -> None:
        self.ledger = Ledger()
        self.now = 1000.0
        self._numbers = count()
        random = Random(1).random
        how = PickOptions(**options)
        self._pick = PickHandlers(self.ledger, how, random, now=lambda: self.now, wall_ns=lambda: 1).pick

    def pick(self, session: object = None, request_id: str = "", **members: Any) -> str:
        body = {"cluster": "c", "request_id": request_id or f"r{next(self._numbers)}", "candidates": ENGINES}
        body |= {"session": session, **members}
        answer: dict[str, Any] = msgspec.json.decode(self._pick(Call(b"", msgspec.json.encode(body), {})))
        return str(answer["ip"])


@pytest.mark.parametrize("policy", ["score", "least_load", "power_of_two", "least_tokens"])
def test_it_stays_with_every_policy(policy: str) -> None:
    gateway = Gateway(policy=policy)
    for number in range(12):
        gateway.pick(f"s{number}")
    engines = {gateway.pick("s0") for _ in range(3)}
    assert len(engines) == 1


def test_without_a_session_nothing_stays() -> None:
    gateway = Gateway(policy="least_load")
    assert len({gateway.pick() for _ in ENGINES}) == len(ENGINES)
    assert len(gateway._pick.__self__._sessions) == 0  # type: ignore[attr-defined]


def test_it_moves_where_its_engine_has_too_much_to_do() -> None:
    gateway = Gateway(policy="least_load", cache_ratio=2.0)
    engine = gateway.pick("s")
    for number in range(20):
        gateway.ledger.add(f"x{number}", "c", engine, 0, gateway.now, 1)
    moved = gateway.pick("s")
    assert moved != engine
    assert gateway.pick("s") == moved, "and stays there"


def test_it_moves_where_much_is_to_be_read_before() -> None:
    gateway = Gateway(policy="least_load")
    engine = gateway.pick("s")
    gateway.ledger.add("x", "c", engine, 50_000, gateway.now, 1)
    assert gateway.pick("s") != engine


def test_what_it_takes_to_move_is_the_cache_ratio() -> None:
    gateway = Gateway(policy="least_load", cache_ratio=100.0)
    engine = gateway.pick("s")
    for number in range(20):
        gateway.ledger.add(f"x{number}", "c", engine, 5_000, gateway.now, 1)
    assert gateway.pick("s") == engine


def test_it_moves_where_its_engine_is_no_candidate_is_full_or_failed() -> None:
    gateway = Gateway(policy="least_load")
    engine = gateway.pick("s", "one")
    assert gateway.pick("s", candidates=[each for each in ENGINES if each != engine]) != engine
    engine = gateway.pick("s", "two")
    assert gateway.pick("s", max_queued=1) != engine
    engine = gateway.pick("s", "three")
    gateway.ledger.done("three", gateway.now, 1, 28)
    assert gateway.pick("s") != engine


def test_it_is_forgotten_when_it_was_quiet_for_long() -> None:
    gateway = Gateway(policy="least_load", session_idle_seconds=30.0)
    engine = gateway.pick("s")
    gateway.now += 29
    assert gateway.pick("s") == engine
    gateway.now += 30
    assert gateway.pick("s") != engine, "it has two, others none"


def test_it_can_be_turned_off() -> None:
    gateway = Gateway(policy="least_load", session_idle_seconds=0.0)
    assert len({gateway.pick("s") for _ in ENGINES}) == len(ENGINES)


def test_sessions_of_clusters_are_apart() -> None:
    gateway = Gateway(policy="least_load")
    engine = gateway.pick("s")
    others = [gateway.pick("s", cluster="other") for _ in range(2)]
    assert len(set(others)) == 1
    assert gateway.pick("s") == engine


def test_the_quietest_are_forgotten_first_and_none_is_kept_for_ever() -> None:
    options = PickOptions(session_idle_seconds=10.0)
    sessions = Sessions(most=3)
    for number in range(5):
        sessions.keep(("c", str(number)), "e", options, float(number))
    assert len(sessions) == 3
    assert sessions.engine(("c", "1"), options, 4.0) is None
    assert sessions.engine(("c", "2"), options, 4.0) == "e"
    for number in range(3):
        sessions.keep(("c", "new"), "e", options, 50.0 + number)
    assert len(sessions) == 1


@pytest.mark.parametrize("session", ["", "x" * 257, 7])
def test_a_wrong_session_is_refused_by_name(session: object) -> None:
    with pytest.raises(InvalidInput, match=r"^session: "):
        Gateway().pick(session)

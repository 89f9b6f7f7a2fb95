# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Places of clients: what one may hold, and what is left for the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import TooMany
from edge.places import Places


def test_a_client_has_its_most_and_no_more() -> None:
    places = Places("waits", "Waits", 3)
    assert [places.try_take("a") for _ in range(3)] == [""] * 3
    assert places.try_take("a") == "waits: a has 3, the most that one client may: [Quotas] Waits"
    assert places.refused == 1
    places.give_back("a")
    assert places.try_take("a") == ""


def test_beyond_half_of_a_cap_a_client_has_its_share() -> None:
    places = Places("sockets", "Sockets", 100, cap=20, share=0.25)
    taken = 0
    while not (reason := places.try_take("a")):
        taken += 1
    assert taken == 11  # just more than half
    assert "[Quotas] Share" in reason
    assert [places.try_take("b") for _ in range(5)] == [""] * 5
    assert places.try_take("b")


@given(
    cap=st.integers(2, 200),
    share=st.floats(0.01, 1.0),
    takes=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=400),
)
def test_no_client_alone_takes_the_last_place_from_the_others(
    cap: int, share: float, takes: list[tuple[str, bool]]
) -> None:
    places = Places("waits", "Waits", cap * 2, cap=cap, share=share)
    held = dict.fromkeys("abc", 0)
    most = max(1, int(cap * share))
    for client, back in takes:
        if back and held[client]:
            places.give_back(client)
            held[client] -= 1
        elif not back:
            total, before = sum(held.values()), held[client]
            taken = not places.try_take(client)
            held[client] += taken
            assert taken == (before < most or 2 * total <= cap)
        assert all(held[each] == places.held(each) for each in held)
        assert places.total == sum(held.values())
        assert places.clients == sum(map(bool, held.values()))


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places("pages", "Pages", 1)
    with pytest.raises(LookupError), places.place("a"):
        raise LookupError
    with places.place("a"):
        assert places.held("a") == 1
        with pytest.raises(TooMany) as refused, places.place("a"):
            pass
        assert refused.value.retry_seconds > 0
    assert places.held("a") == places.total == 0


def test_the_largest_are_found() -> None:
    places = Places("pages", "Pages", 9)
    for client in "abbccc":
        places.take(client)
    assert places.largest(2) == [("c", 3), ("b", 2)]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Looking into the ledger: one request, and pages of them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.call import Call
from edge.errors import InvalidInput, NotFound
from loadstats.inspection import InspectionHandlers
from loadstats.ledger import (
    BUCKETS,
    IN_FLIGHT,
    Added,
    Cursor,
    Filter,
    Ledger,
    LegacyLedgerAdapter,
    RequestView,
)

EVERYTHING = Filter()


def ids(
    ledger: Ledger,
    filter_: Filter = EVERYTHING,
    *,
    now: float = 0.0,
    most: int = 5,
    most_looked: int = 3,
    between: Callable[[], object] = lambda: None,
) -> list[str]:
    """Of a whole walk, page by page, each within its bounds."""
    inspection = ledger.requests
    found: list[str] = []
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        page = inspection.page(filter_, cursor, now, most=most, most_looked=most_looked)
        assert len(page.views) <= most
        found += [each.request_id for each in page.views]
        cursor = page.next
        between()
    return found


def test_a_request_is_seen_in_every_phase() -> None:
    ledger = Ledger(request_seconds=660, tombstone_seconds=60)
    inspection = ledger.requests
    ledger.add("r", "c", "10.0.0.1", 7, 100.0, 0)
    assert inspection.look("r", 110.0) == RequestView("r", "c", "10.0.0.1", "prefill", 10, 650, 7, "", 0)
    ledger.first_token("r", 120.0, 0)
    assert inspection.look("r", 120.0) == RequestView("r", "c", "10.0.0.1", "decode", 20, 640, 7, "", 0)
    ledger.done("r", 130.0, 0)
    assert inspection.look("r", 140.0) == RequestView("r", "c", "10.0.0.1", "done", 40, 50, 7, "", 0, cause="gateway")


def test_a_call_that_overtook_its_add_is_seen_as_early() -> None:
    ledger = Ledger(stub_seconds=600)
    ledger.done("early", 100.0, 0)
    assert ledger.requests.look("early", 101.0) == RequestView(
        "early", "", "", "early", 1, 599, 0, "", 0, cause="gateway"
    )


def test_an_unknown_request_is_none() -> None:
    assert Ledger().requests.look("nobody", 0.0) is None


def test_what_a_peer_told_names_its_origin() -> None:
    ledger = Ledger()
    ledger.replica.apply([Added("theirs", "c", "10.0.0.1", 7)], ledger.replica.origin("b:80@1"), 12, 100.0, 0)
    LegacyLedgerAdapter(ledger.replica).add("hearsay", "c", "10.0.0.1", 7, 100.0, 0)
    seen = {name: ledger.requests.look(name, 100.0) for name in ("theirs", "hearsay")}
    assert [(each.origin, each.seq) for each in seen.values() if each] == [("b:80@1", 12), ("", 0)]


def test_the_tombstone_of_an_engine_that_is_gone_has_no_cluster() -> None:
    ledger = Ledger(request_seconds=10, tombstone_seconds=100)
    ledger.add("r", "c", "10.0.0.1", 7, 0.0, 0)
    ledger.done("r", 0.0, 0)
    ledger.expire(50.0, 0)
    seen = ledger.requests.look("r", 50.0)
    assert seen is not None
    assert (seen.cluster, seen.phase) == ("", "done")


@pytest.fixture
def mixed() -> Ledger:
    """Requests of every phase, 40 of each, on two clusters of two engines; the odd ones are 60 s younger."""
    ledger = Ledger(request_seconds=660, tombstone_seconds=600, stub_seconds=600)
    for number in (*range(0, 40, 2), *range(1, 40, 2)):
        now = 60.0 * (number % 2)
        for phase in ("prefill", "decode", "done"):
            name = f"{phase}-{number}"
            ledger.add(name, "ab"[number // 20], f"10.0.0.{number % 4 // 2}", 1, now, 0)
            if phase != "prefill":
                (ledger.first_token if phase == "decode" else ledger.done)(name, now, 0)
    for number in range(40):
        ledger.first_token(f"early-{number}", 60.0, 0)
    return ledger


def test_a_walk_meets_everything_once(mixed: Ledger) -> None:
    found = ids(mixed, now=60.0)
    assert len(found) == len(set(found)) == 160


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        (Filter(phases=IN_FLIGHT), 80),
        (Filter(phases=frozenset({"early"})), 40),
        (Filter(phases=frozenset({"done"})), 40),
        (Filter("a"), 60),
        (Filter("a", "10.0.0.1"), 30),
        (Filter("", "10.0.0.1"), 60),
        (Filter("a", "10.0.0.1", frozenset({"decode"})), 10),
        (Filter("nobody"), 0),
        (Filter(least_age_seconds=60), 60),
        (Filter(least_age_seconds=60, phases=frozenset({"prefill"})), 20),
        (Filter(least_age_seconds=61), 0),
    ],
)
def test_only_what_passes_the_filter_is_met(mixed: Ledger, filter_: Filter, count: int) -> None:
    assert len(ids(mixed, filter_, now=60.0)) == count


def test_a_page_ends_with_the_bucket_in_which_it_looked_at_enough(mixed: Ledger) -> None:
    inspection = mixed.requests
    page = inspection.page(Filter("nobody"), Cursor(), 60.0, most=10, most_looked=20)
    assert 20 <= page.looked < 30
    assert page.next is not None
    assert 0 < page.next.bucket < BUCKETS
    assert page.views == ()


def test_nothing_is_looked_at_past_the_last_bucket(mixed: Ledger) -> None:
    page = mixed.requests.page(Filter(), Cursor(BUCKETS), 60.0, most=10, most_looked=10)
    assert page.next is None
    assert not page.views


def test_no_more_than_a_slice_is_read_under_one_hold(mixed: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadstats.ledger.requests.SLICE", 2)
    pauses: list[None] = []
    pages = mixed.requests.page(
        EVERYTHING, Cursor(), 60.0, most=500, most_looked=500, pause=lambda: pauses.append(None)
    )
    assert len(pages.views) == 160
    assert len(pauses) == sum(-(-len(bucket) // 2) for bucket in mixed._buckets)


def test_others_have_their_turn_between_slices(mixed: Ledger) -> None:
    holds: list[bool] = []
    mixed.requests.page(
        Filter(), Cursor(), 60.0, most=500, most_looked=500, pause=lambda: holds.append(mixed._lock.locked())
    )
    assert len(holds) > 40
    assert not any(holds)


@given(
    st.sets(st.text(min_size=1, max_size=3), max_size=60),
    st.integers(1, 7),
    st.integers(1, 7),
    st.randoms(use_true_random=False),
)
def test_who_stays_through_a_walk_is_met_exactly_once(
    names: set[str], most: int, most_looked: int, random: Random
) -> None:
    ledger = Ledger(request_seconds=100, tombstone_seconds=1)
    stays = sorted(names)
    for name in stays:
        ledger.add(name, "c", "10.0.0.1", 1, 0.0, 0)
    for number in range(40):
        ledger.add(f"goes-{number}", "c", "10.0.0.1", 1, 0.0, 0)
    ticks = iter(range(1, 10_000))

    def between() -> None:
        tick = next(ticks)
        if tick <= 40:
            ledger.done(f"goes-{random.randrange(40)}", float(tick), 0)
            ledger.expire(float(tick), 0)
            ledger.add(f"comes-{tick}", "c", "10.0.0.1", 1, float(tick), 0)

    found = ids(ledger, Filter(phases=IN_FLIGHT), now=50.0, most=most, most_looked=most_looked, between=between)
    assert len(found) == len(set(found))
    assert set(stays) <= set(found)


def test_what_was_forgotten_since_the_slice_was_cut_is_left_out(mixed: Ledger) -> None:
    inspection = mixed.requests
    first = ids(mixed, now=60.0)[0]

    def forget() -> None:
        mixed.done(first, 60.0, 0)
        while mixed.expire(5000.0, 0):
            pass

    bucket = next(number for number, part in enumerate(mixed._buckets) if first in part)
    (records,) = inspection._slices(bucket)
    forget()
    assert inspection._passing(records, Filter(), "", 5000.0) == []


# The call


def call(query: bytes) -> Call:
    return Call(query, b"", {})


def test_the_call_tells_what_is_known_and_who_says_so() -> None:
    ledger = Ledger()
    ledger.add("a b", "c", "10.0.0.1", 7, 100.0, 0)
    (route,) = InspectionHandlers(ledger.requests, "node:80", now=lambda: 105.0).routes()
    assert (route.method, route.path) == ("GET", "/v1/load/request")
    made = call(b"request_id=a%20b")
    data = msgspec.json.decode(route.handler(made))
    assert made.request_id == "a b"
    assert data == {
        "request_id": "a b",
        "cluster": "c",
        "ip": "10.0.0.1",
        "phase": "prefill",
        "age_seconds": 5,
        "remaining_seconds": 655,
        "prompt_length": 7,
        "origin": "",
        "seq": 0,
        "owner": "",
        "orphaned": False,
        "input_tokens": 0,
        "output_tokens": 0,
        "heartbeats": False,
        "cause": "",
        "attempt": 1,
        "superseded": False,
        "outcome": "",
        "node": "node:80",
    }


def test_the_call_says_what_is_wrong() -> None:
    handlers = InspectionHandlers(Ledger().requests, "node:80")
    with pytest.raises(NotFound, match="request_id: 'nobody' is unknown here"):
        handlers.look(call(b"request_id=nobody"))
    for query in (b"", b"request_id=", b"request_id=" + b"x" * 257):
        with pytest.raises(InvalidInput, match="request_id: expected 1 to 256 characters"):
            handlers.look(call(query))


def test_it_shows_what_only_some_requests_have() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1:80", 7, 100.0, 0, "gw")
    ledger.tokens("r", 30, 4, 100.0, 0)
    ledger.beat("gw", 5, 100.0, 0)
    while ledger.lapse(106.0, 0):
        pass
    seen = ledger.requests.look("r", 106.0)
    assert seen is not None
    assert (seen.ip, seen.owner, seen.orphaned) == ("10.0.0.1:80", "gw", True)
    assert (seen.input_tokens, seen.output_tokens) == (30, 4)


def test_it_tells_whether_the_gateway_has_ever_sent_a_heartbeat() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 7, 100.0, 0, owner="gateway-0")

    def heartbeats() -> bool:
        seen = ledger.requests.look("r", 100.0)
        assert seen is not None
        assert (seen.owner, seen.orphaned) == ("gateway-0", False)
        return seen.heartbeats

    assert not heartbeats()
    ledger.beat("gateway-0", 30, 100.0, 1_000_000_000)
    assert heartbeats()

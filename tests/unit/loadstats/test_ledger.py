# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import pytest

from loadstats.ledger import Ledger, LedgerFull
from loadstats.ledger.limits import SLICE


def rows(ledger: Ledger, cluster: str = "c") -> dict[str, tuple[int, int]]:
    return {row.ip: (row.queued_req_num, row.prompt_length) for row in ledger.rows(cluster)}


def test_it_counts_a_request_through_its_life() -> None:
    ledger = Ledger()
    assert ledger.add("r", "c", "10.0.0.1", 7, 0.0, 1)
    assert rows(ledger) == {"10.0.0.1": (1, 7)}
    assert ledger.first_token("r", 0.0, 2)
    assert rows(ledger) == {"10.0.0.1": (1, 0)}
    assert ledger.done("r", 0.0, 3)
    assert rows(ledger) == {"10.0.0.1": (0, 0)}
    assert ledger.rows("c")[0].updated_time == 3


def test_it_says_that_a_repeated_call_changed_nothing() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 7, 0.0, 1)
    assert not ledger.add("r", "other", "10.0.0.2", 9, 0.0, 2)
    ledger.first_token("r", 0.0, 2)
    assert not ledger.first_token("r", 0.0, 3)
    ledger.done("r", 0.0, 4)
    assert not ledger.done("r", 0.0, 5)
    assert not ledger.first_token("r", 0.0, 5)
    assert rows(ledger) == {"10.0.0.1": (0, 0)}
    assert ledger.rows("other") == []
    assert ledger.counts().repeated == 4


def test_it_refuses_an_add_over_its_cap_and_takes_one_again_when_there_is_room() -> None:
    ledger = Ledger(max_records=2, request_seconds=10, tombstone_seconds=1)
    ledger.add("r1", "c", "10.0.0.1", 1, 0.0, 0)
    ledger.add("r2", "c", "10.0.0.1", 1, 0.0, 0)
    with pytest.raises(LedgerFull, match="requests reached its cap of 2"):
        ledger.add("r3", "c", "10.0.0.1", 1, 0.0, 0)
    assert not ledger.done("unknown", 0.0, 0)
    assert ledger.counts().forgotten == 1
    ledger.done("r1", 0.0, 0)
    while ledger.expire(2.0, 0):
        pass
    assert ledger.add("r3", "c", "10.0.0.1", 1, 2.0, 0)


def test_it_refuses_an_engine_over_its_cap_and_leaves_no_empty_cluster() -> None:
    ledger = Ledger(max_engines=1)
    ledger.add("r1", "c", "10.0.0.1", 1, 0.0, 0)
    with pytest.raises(LedgerFull, match="engines"):
        ledger.add("r2", "d", "10.0.0.2", 1, 0.0, 0)
    assert ledger.clusters() == ["c"]
    assert ledger.find("r2") is None


def test_expiry_goes_in_slices() -> None:
    ledger = Ledger(request_seconds=10, tombstone_seconds=10)
    for number in range(SLICE + 1):
        ledger.add(f"r{number}", "c", "10.0.0.1", 1, 0.0, 0)
    assert ledger.expire(10.0, 0) == SLICE
    assert rows(ledger) == {"10.0.0.1": (1, 1)}
    assert ledger.expire(10.0, 0) == 2  # the last request, and the engine that waits for it
    assert ledger.expire(10.0, 0) == 0


def test_nothing_expires_before_its_time() -> None:
    ledger = Ledger(request_seconds=10)
    ledger.add("r", "c", "10.0.0.1", 1, 5.0, 0)
    assert ledger.expire(14.9, 0) == 0
    assert ledger.expire(15.0, 0) == 2  # the request and its engine


def test_a_used_engine_stays_and_a_quiet_one_goes() -> None:
    ledger = Ledger(request_seconds=10, tombstone_seconds=1)
    ledger.add("r1", "c", "10.0.0.1", 1, 0.0, 0)
    ledger.add("r2", "c", "10.0.0.2", 1, 0.0, 0)
    ledger.done("r1", 0.0, 0)
    ledger.done("r2", 8.0, 0)
    while ledger.expire(11.0, 0):
        pass
    assert rows(ledger) == {"10.0.0.2": (0, 0)}
    while ledger.expire(18.0, 0):
        pass
    assert ledger.loads.answer("c") == b"null"


def test_closing_engines_in_any_order_keeps_every_row() -> None:
    ledger = Ledger(request_seconds=10, tombstone_seconds=1)
    for number in range(6):
        ledger.add(f"r{number}", "c", f"10.0.0.{number}", number, 0.0, 0)
        ledger.done(f"r{number}", 0.0, 0)
    for number in (0, 5, 2):
        ledger.add(f"again{number}", "c", f"10.0.0.{number}", number, 5.0, 0)
    while ledger.expire(11.0, 0):
        pass
    assert rows(ledger) == {"10.0.0.0": (1, 0), "10.0.0.5": (1, 5), "10.0.0.2": (1, 2)}
    assert ledger.loads.answer("c").count(b"10.0.0.") == 3


def test_time_that_runs_backwards_is_taken_as_standing_still() -> None:
    ledger = Ledger(request_seconds=10)
    ledger.add("r1", "c", "10.0.0.1", 1, 100.0, 0)
    ledger.add("r2", "c", "10.0.0.1", 1, 50.0, 0)
    assert ledger.expire(60.0, 0) == 0
    assert rows(ledger) == {"10.0.0.1": (2, 2)}


def test_clear_forgets_everything() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 1, 0.0, 0)
    ledger.done("early", 0.0, 0)
    ledger.clear()
    assert ledger.loads.answer("c") == b"null"
    assert list(ledger.requests.records()) == []
    assert ledger.add("r", "c", "10.0.0.1", 1, 0.0, 0)


@pytest.mark.no_cover
def test_threads_may_call_it_together() -> None:
    ledger = Ledger()
    start = threading.Barrier(4)

    def work(worker: int) -> None:
        start.wait(60)
        for number in range(3000):
            request_id = f"{worker}-{number}"
            ledger.add(request_id, "c", f"10.0.0.{number % 7}", 5, 0.0, 0)
            ledger.loads.answer("c")
            ledger.first_token(request_id, 0.0, 0)
            if number % 3:
                ledger.done(request_id, 0.0, 0)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(queued for queued, _ in rows(ledger).values()) == 4 * 1000
    assert all(length == 0 for _, length in rows(ledger).values())

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What follows from the copies of a peer that knows no attempts and no causes, and what does not."""

from __future__ import annotations

from zlib import crc32

import pytest

from loadstats.ledger import BUCKETS, Added, Cause, Done, Ledger, RequestCopy
from replication.buckets import State
from replication.entities.requests import ReplicatedRequests
from replication.features import FEATURES, NO_FEATURES
from replication.paths import VERSION
from tests.audit import audit

BUCKET = crc32(b"r") % BUCKETS


def merge(ledger: Ledger, copies: list[RequestCopy], features: frozenset[str]) -> None:
    entity = ReplicatedRequests(ledger, lambda engine: None)
    state = State(VERSION, [(BUCKET, copies)], features=features)
    for _ in entity.merge(state, {"a@1": 9}, {}, 0.0, 1):
        pass
    audit(ledger)


@pytest.mark.parametrize(("features", "ended"), [(FEATURES, True), (NO_FEATURES, False)])
def test_a_later_attempt_is_over_where_a_peer_that_knows_attempts_lacks_it(
    features: frozenset[str], ended: bool
) -> None:
    for copies in ([], [RequestCopy("r", 0, 60, "c", "10.0.0.1", 5, "a@1", 1)]):
        ledger = Ledger()
        added = [Added("r", "c", "10.0.0.1", 5), Added("r", "c", "10.0.0.2", 5, "", 2)]
        ledger.replica.apply(added, ledger.replica.origin("a@1"), 1, 0.0, 1)
        merge(ledger, copies, features)
        assert (ledger.counts().in_flight == 0) == ended


@pytest.mark.parametrize(("features", "cause"), [(FEATURES, "gateway"), (NO_FEATURES, "")])
def test_nothing_is_made_up_about_an_end_of_a_peer_that_knows_no_causes(features: frozenset[str], cause: str) -> None:
    ledger = Ledger()
    merge(ledger, [RequestCopy("r", 2, 60)], features)
    view = ledger.requests.look("r", 0.0)
    assert view is not None
    assert view.cause == cause


def test_a_known_cause_stays_where_a_peer_knows_none() -> None:
    ledger = Ledger()
    events = [Added("r", "c", "10.0.0.1", 5), Done("r", Cause.OPERATOR)]
    ledger.replica.apply(events, ledger.replica.origin("a@1"), 1, 0.0, 1)
    merge(ledger, [RequestCopy("r", 2, 60)], NO_FEATURES)
    view = ledger.requests.look("r", 0.0)
    assert view is not None
    assert view.cause == "operator"

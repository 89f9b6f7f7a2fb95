# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A request that is tried again: the later attempt stands, on every node, whatever became of the one before."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
import pytest
from msgspec import ValidationError, msgpack

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.batch import BatchHandlers
from loadstats.handlers import LoadHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import (
    BUCKETS,
    Added,
    Done,
    Event,
    FirstToken,
    Ledger,
    LegacyLedgerAdapter,
    Origin,
    RequestCopy,
    RequestRefreshed,
    TokensCounted,
)
from replication.entities import brief_event
from tests.audit import audit, nothing_left

BUCKET = crc32(b"r") % BUCKETS
A, B = Origin.of("a@1"), Origin.of("b@1")


class Calls:
    """The calls of a gateway about request `r`, over one ledger with a journal."""

    def __init__(self, **options: Any) -> None:
        self.ledger = Ledger(**options)
        self.ledger.journal = self
        self.origin = A
        self.events: list[Event] = []
        clocks: dict[str, Any] = {"now": lambda: 100.0, "wall_ns": lambda: 7_000_000}
        self.load, self.alive = LoadHandlers(self.ledger, **clocks), KeepAliveHandlers(self.ledger, **clocks)
        self.batches = BatchHandlers(self.ledger, **clocks)

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.events.append(event)
        return len(self.events)

    def call(self, name: str, **members: Any) -> Any:
        handler = getattr(self.load, name, None) or getattr(self.alive, name)
        return msgspec.json.decode(handler(Call(b"", msgspec.json.encode({"request_id": "r", **members}), {})))

    def add(self, ip: str = "10.0.0.1", **members: Any) -> None:
        self.call("add", cluster="c", ip=ip, **members)

    def batch(self, *operations: dict[str, Any]) -> Any:
        work = self.batches.batch(Call(b"", msgspec.json.encode({"ops": operations}), {}))
        with pytest.raises(StopIteration) as end:
            next(work)
        return msgspec.json.decode(end.value.value)

    def load_of(self) -> dict[str, tuple[int, int, int]]:
        """Requests, prompts and tokens of the engines that have any."""
        return {
            row.ip: (row.queued_req_num, row.prompt_length, row.token_num)
            for row in self.ledger.rows("c")
            if row.queued_req_num
        }


@pytest.mark.parametrize("before", ["prefill", "decode", "done"])
def test_a_later_attempt_stands_over_any_phase(before: str) -> None:
    calls = Calls()
    calls.add(prompt_length=5, owner="g")
    calls.call("tokens", input_tokens=3, output_tokens=4)
    calls.call("refresh")
    if before != "prefill":
        calls.call("first_token")
    if before == "done":
        calls.call("done")
    calls.add("10.0.0.2", prompt_length=8, attempt=2)
    assert calls.load_of() == {"10.0.0.2": (1, 8, 0)}
    record = calls.ledger.find("r")
    assert record is not None
    assert record.extras is not None
    assert (record.extras.attempt, record.extras.refreshed_ms, record.extras.owner) == (2, 0, None)
    assert (record.since_tick, record.cause) == (100, 0)
    audit(calls.ledger)


def test_calls_about_an_earlier_attempt_change_nothing() -> None:
    calls = Calls()
    calls.add("10.0.0.2", prompt_length=8, attempt=3)
    taken = len(calls.events)
    calls.add("10.0.0.1", attempt=2)
    calls.call("first_token", attempt=1)
    calls.call("tokens", attempt=2, input_tokens=9)
    calls.call("done", attempt=2)
    assert calls.call("refresh", attempt=2) == {"unknown": ["r"]}
    assert calls.load_of() == {"10.0.0.2": (1, 8, 0)}
    assert len(calls.events) == taken


def test_what_says_none_is_about_the_latest_known_and_journalled_with_its_number() -> None:
    calls = Calls()
    calls.add("10.0.0.2", prompt_length=8, attempt=3)
    calls.call("tokens", input_tokens=2)
    calls.call("first_token")
    assert calls.call("refresh") == {"unknown": []}
    calls.call("done")
    assert calls.events == [
        Added("r", "c", "10.0.0.2", 8, "", 3),
        TokensCounted("r", 2, 0, 3),
        FirstToken("r", 3),
        RequestRefreshed("r", 7, 3),
        Done("r", attempt=3),
    ]
    assert calls.load_of() == {}


def test_a_plain_add_of_a_known_id_changes_nothing_also_after_the_end() -> None:
    calls = Calls()
    calls.add("10.0.0.1")
    calls.add("10.0.0.2")
    assert calls.load_of() == {"10.0.0.1": (1, 0, 0)}
    calls.call("done")
    calls.add("10.0.0.2")
    calls.add("10.0.0.2", attempt=1)
    assert calls.load_of() == {}
    calls.add("10.0.0.2", attempt=None)
    assert calls.load_of() == {}


@pytest.mark.parametrize("call", ["first_token", "done", "tokens"])
def test_a_call_that_overtakes_the_add_of_a_later_attempt_ends_the_earlier_one(call: str) -> None:
    calls = Calls()
    calls.add("10.0.0.1", prompt_length=5, owner="g")
    calls.call(call, attempt=2, **({"input_tokens": 6} if call == "tokens" else {}))
    assert calls.load_of() == {}
    assert calls.ledger.counts().owners == 0
    audit(calls.ledger)
    calls.add("10.0.0.2", prompt_length=8, attempt=2)
    expected = {"first_token": (1, 0, 0), "tokens": (1, 8, 6)}.get(call)
    assert calls.load_of() == ({} if expected is None else {"10.0.0.2": expected})
    audit(calls.ledger)


def test_no_tokens_of_a_later_attempt_are_no_news_of_it() -> None:
    calls = Calls()
    calls.add("10.0.0.1")
    calls.call("tokens", attempt=2)
    assert calls.load_of() == {"10.0.0.1": (1, 0, 0)}


def test_an_early_call_of_an_unknown_request_is_remembered_with_its_attempt() -> None:
    calls = Calls()
    calls.call("first_token", attempt=2)
    calls.add("10.0.0.1", attempt=1)
    assert calls.load_of() == {}
    calls.add("10.0.0.2", prompt_length=8)  # says none: the latest known
    assert calls.load_of() == {"10.0.0.2": (1, 0, 0)}
    assert calls.events[-1] == Added("r", "c", "10.0.0.2", 8, "", 2)


def test_an_attempt_that_does_not_match_leaves_the_one_before() -> None:
    calls = Calls()
    calls.add("10.0.0.1")
    with pytest.raises(Exception, match="match"):
        calls.add("10.0.0.2", attempt=2, match={"queued_req_num": 5})
    assert calls.load_of() == {"10.0.0.1": (1, 0, 0)}
    calls.add("10.0.0.2", attempt=2, match={"queued_req_num": 0})
    assert calls.load_of() == {"10.0.0.2": (1, 0, 0)}


def test_an_attempt_that_finds_no_room_leaves_the_one_before() -> None:
    calls = Calls(max_engines=1, max_owners=1)
    calls.add("10.0.0.1", owner="g")
    for more in ({"ip": "10.0.0.2"}, {"owner": "h"}):
        with pytest.raises(Exception, match="this node holds its most, 1"):
            calls.add(**{"ip": "10.0.0.1", **more}, attempt=2)
        assert calls.load_of() == {"10.0.0.1": (1, 0, 0)}
        audit(calls.ledger)


def test_a_batch_says_attempts_too() -> None:
    calls = Calls()
    of = {"request_id": "r"}
    answers = calls.batch(
        {"op": "add", "cluster": "c", "ip": "10.0.0.1", **of},
        {"op": "add", "cluster": "c", "ip": "10.0.0.2", "attempt": 2, **of},
        {"op": "tokens", "input_tokens": 9, "attempt": 1, **of},
        {"op": "tokens", "input_tokens": 5, "attempt": 2, **of},
        {"op": "prompt", "attempt": 1, **of},
        {"op": "delete", "attempt": 1, **of},
        {"op": "refresh", "attempt": 1, **of},
        {"op": "refresh", "attempt": 2, **of},
        {"op": "delete", "attempt": 0, **of},
    )
    assert [answer.get("unknown") for answer in answers[6:8]] == [["r"], []]
    assert answers[8]["reason"] == "attempt: expected `int` >= 1"
    assert calls.load_of() == {"10.0.0.2": (1, 0, 5)}
    calls.batch({"op": "prompt", "attempt": 2, **of}, {"op": "delete", "attempt": 2, **of})
    assert calls.load_of() == {}


@pytest.mark.parametrize("attempt", [0, -1, 2**31, 1.5, "1", True])
@pytest.mark.parametrize("call", ["add", "first_token", "done", "tokens", "refresh"])
def test_an_attempt_is_a_number_from_1(call: str, attempt: Any) -> None:
    calls = Calls()
    with pytest.raises(InvalidInput, match=r"^attempt: "):
        calls.call(call, cluster="c", ip="10.0.0.1", attempt=attempt)


def test_an_attempt_of_several_requests_is_refused() -> None:
    with pytest.raises(InvalidInput, match="attempt"):
        Calls().alive.refresh(Call(b"", b'{"request_ids":["r"],"attempt":2}', {}))


def test_a_request_shows_its_attempt() -> None:
    calls = Calls()
    calls.add("10.0.0.1")
    calls.add("10.0.0.2", attempt=5)
    view = calls.ledger.requests.look("r", 100.0)
    assert view is not None
    assert (view.attempt, view.ip, view.phase) == (5, "10.0.0.2", "prefill")
    calls.call("done")
    view = calls.ledger.requests.look("r", 100.0)
    assert view is not None
    assert (view.attempt, view.cause) == (5, "gateway")


def test_nothing_is_left_of_attempts_that_are_over() -> None:
    calls = Calls(request_seconds=60, tombstone_seconds=5)
    for attempt in (1, 3, 7):
        calls.add(f"10.0.0.{attempt}", owner="g", attempt=attempt)
    calls.call("done")
    calls.ledger.done("early", 100.0, 1, attempt=4)
    while calls.ledger.lapse(300.0, 1) or calls.ledger.expire(300.0, 1):
        pass
    nothing_left(calls.ledger)


def test_a_call_of_a_peer_of_the_go_version_is_about_the_latest_attempt() -> None:
    calls = Calls()
    calls.add("10.0.0.2", attempt=2)
    peer = LegacyLedgerAdapter(calls.ledger.replica)
    peer.add("r", "c", "10.0.0.1", 5, 100.0, 1)
    assert calls.load_of() == {"10.0.0.2": (1, 0, 0)}
    peer.first_token("r", 100.0, 1)
    peer.done("r", 100.0, 1)
    assert calls.load_of() == {}


# Among nodes


def pull(into: Ledger, source: Ledger, *, theirs: bool = False, ours: bool = False, attempts: bool = True) -> int:
    copies = [msgpack.decode(msgpack.encode(copy), type=RequestCopy) for copy in source.replica.copies(BUCKET, 0.0)]
    return into.replica.merge(
        BUCKET, copies, theirs=lambda *_: theirs, ours=lambda *_: ours, now=0.0, wall_ns=1, attempts=attempts
    )


def make(*events: Event, origin: Origin = A) -> Ledger:
    ledger = Ledger()
    ledger.replica.apply(events, origin, 1, 0.0, 1)
    return ledger


FIRST, SECOND = Added("r", "c", "10.0.0.1", 5), Added("r", "c", "10.0.0.2", 7, "", 2)


def where(ledger: Ledger) -> list[str]:
    audit(ledger)
    return [row.ip for row in ledger.rows("c") if row.queued_req_num]


def test_a_lower_attempt_over_there_is_no_presence() -> None:
    ours, peer = make(FIRST, SECOND), make(FIRST)
    assert pull(ours, peer) == 0
    assert where(ours) == ["10.0.0.2"]
    assert pull(ours, peer, theirs=True) == 1  # it has seen the second add, and that attempt is over there
    assert where(ours) == []


@pytest.mark.parametrize("more", [[], [TokensCounted("r", 1, 1)], [Done("r")]])
def test_an_attempt_that_we_have_seen_and_lack_does_not_come_back(more: list[Event]) -> None:
    for here in ([FIRST, *more], more):
        ours, peer = make(*here), make(SECOND)
        before = where(ours)
        pull(ours, peer, ours=True)
        assert where(ours) == before
    ours = make(FIRST)
    assert pull(ours, make(SECOND)) == 1
    assert where(ours) == ["10.0.0.2"]


def test_the_same_attempt_or_a_later_one_over_there_is_presence() -> None:
    for there in ([SECOND], [Added("r", "c", "10.0.0.3", 1, "", 3)]):
        ours = make(SECOND)
        pull(ours, make(*there, origin=B), theirs=True)
        assert where(ours) == [there[0].engine]


def test_nothing_follows_from_what_a_peer_of_the_last_release_lacks_of_later_attempts() -> None:
    for there in ([FIRST], []):
        ours = make(FIRST, SECOND)
        assert pull(ours, make(*there), theirs=True, attempts=False) == 0
        assert where(ours) == ["10.0.0.2"]
    ours = make(FIRST)
    assert pull(ours, make(), theirs=True, attempts=False) == 1
    assert where(ours) == []


def test_of_equal_attempts_the_lowest_dot_stands() -> None:
    other = Added("r", "c", "10.0.0.3", 9, "", 2)
    for order in ((A, SECOND, B, other), (B, other, A, SECOND)):
        ledger = make(FIRST)
        ledger.replica.apply([order[1]], order[0], 5, 0.0, 1)
        ledger.replica.apply([order[3]], order[2], 5, 0.0, 1)
        assert where(ledger) == ["10.0.0.2"]


def test_a_request_in_its_first_attempt_has_the_fingerprint_of_the_last_release() -> None:
    origin = Origin.of("10.0.0.1:8080@18a5")
    ledger = Ledger()
    bucket = crc32(b"r1") % BUCKETS
    ledger.replica.apply([Added("r1", "qwen", "10.0.0.7", 1200)], origin, 1, 0.0, 1)
    assert ledger.replica.digests()[bucket] == 0x529283D87BC8ED25
    ledger.replica.apply([Added("r1", "qwen", "10.0.0.7", 1200, "", 2)], origin, 1, 0.0, 1)
    second = ledger.replica.digests()[bucket]
    assert second == 0x529283D87BC8ED25 ^ (0x8EBC6AF09C88C6E3 * 0x0D0E09B1) & (2**64 - 1)
    ledger.replica.apply([Added("r1", "qwen", "10.0.0.7", 1200, "", 3)], origin, 1, 0.0, 1)
    assert ledger.replica.digests()[bucket] not in (second, 0x529283D87BC8ED25)


@pytest.mark.parametrize(
    ("event", "plain"),
    [
        (FIRST, [0, "r", "c", "10.0.0.1", 5, ""]),
        (SECOND, [0, "r", "c", "10.0.0.2", 7, "", 2]),
        (FirstToken("r"), [1, "r"]),
        (FirstToken("r", 2), [1, "r", 2]),
        (Done("r"), [2, "r"]),
        (Done("r", 8), [2, "r", 8]),
        (Done("r", 12, 2), [2, "r", 12, 2]),
        (TokensCounted("r", 0, 0), [3, "r", 0, 0]),
        (TokensCounted("r", 1, 1, 2), [3, "r", 1, 1, 2]),
        (RequestRefreshed("r", 1), [4, "r", 1]),
        (RequestRefreshed("r", 1, 2), [4, "r", 1, 2]),
    ],
)
def test_only_what_is_new_is_sent_behind_what_was_always_sent(event: Event, plain: list[Any]) -> None:
    assert msgpack.encode(brief_event(event)) == msgpack.encode(plain)
    assert msgpack.decode(msgpack.encode(plain), type=Event) == event


@pytest.mark.parametrize("attempt", [0, -1, 2**31])
def test_a_peer_may_not_say_what_a_client_may_not(attempt: int) -> None:
    for event in (FIRST, FirstToken("r"), Done("r"), TokensCounted("r", 1, 1), RequestRefreshed("r", 1)):
        with pytest.raises(ValidationError):
            msgpack.decode(msgpack.encode(msgspec.structs.replace(event, attempt=attempt)), type=Event)
    with pytest.raises(ValidationError):
        msgpack.decode(msgpack.encode(RequestCopy("r", 0, 1, attempt=attempt)), type=RequestCopy)

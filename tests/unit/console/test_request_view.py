# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A request's life in words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from console.request_view import ShownRequest, alarm, headline, reasons, steps


def life(phase: str, age_seconds: float = 5, origin: str = "", node: str = "n1:80") -> ShownRequest:
    return ShownRequest("r", phase, "c", "10.0.0.1", age_seconds, 600, 1200, origin, 42, node)


@pytest.mark.parametrize(
    ("phase", "states", "words"),
    [
        ("prefill", ["now", "ahead", "ahead"], "In prefill: 1 request and a prompt of 1,200"),
        ("decode", ["past", "now", "ahead"], "Decoding: 1 request"),
        ("done", ["past", "now"], "Finished"),
        ("early", ["ahead", "ahead", "ahead"], "Not counted yet"),
        ("whatever comes later", ["ahead", "ahead", "ahead"], "Not counted yet"),
    ],
)
def test_each_phase_has_its_station_and_its_headline(phase: str, states: list[str], words: str) -> None:
    assert [step.state for step in steps(life(phase))] == states
    assert headline(life(phase))[0] == words


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("prefill", "times out in 10 min."),
        ("decode", "times out in 10 min."),
        ("done", "kept for another 10 min"),
        ("early", "If the start does not arrive within 10 min, it is removed."),
    ],
)
def test_it_is_told_how_it_ends(phase: str, words: str) -> None:
    assert any(words in reason for reason in reasons(life(phase)))


def test_a_long_prefill_has_a_likely_cause() -> None:
    assert not any("may have died" in reason for reason in reasons(life("prefill", 59)))
    assert any("may have died" in reason for reason in reasons(life("prefill", 60)))


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("", "Origin unknown"),
        ("n1:80@18ea", "Its start was reported to this node, and is its event 42."),
        ("n2:80@18ea", "Its start was reported to n2:80, and is that node's event 42."),
    ],
)
def test_it_is_told_who_took_it(origin: str, words: str) -> None:
    assert reasons(life("decode", origin=origin))[-1].startswith(words)


def test_its_gateway_says_how_long_it_lives() -> None:
    life = ShownRequest(
        "r", "decode", "c", "10.0.0.1", 5, 600, owner="gw-1", input_tokens=7, output_tokens=3, heartbeats=True
    )
    assert life.tokens == 10
    assert any("while it sends heartbeats, the request does not time out" in words for words in reasons(life))
    assert alarm(life) == ""
    assert life.end == "Times out without heartbeats in"


def test_an_orphan_says_since_when_and_until_when() -> None:
    orphan = ShownRequest("r", "decode", "c", "10.0.0.1", 5, 20, owner="gw-1", orphaned=True, grace_seconds=30)
    assert alarm(orphan) == "Orphaned for 10 s: its gateway gw-1 sends no heartbeats. Ends in 20 s."
    assert any("gw-1 stopped sending heartbeats 10 s ago" in words and "in 20 s" in words for words in reasons(orphan))
    assert orphan.end == "Ends in"


@pytest.mark.parametrize(
    ("phase", "age_seconds", "words"),
    [
        ("prefill", 59, ""),
        ("prefill", 60, "No first token for 1 min: its gateway may be gone. Ends in 10 min at the latest."),
        ("decode", 500, ""),
        ("done", 500, ""),
    ],
)
def test_a_first_token_that_does_not_come_is_an_alarm(phase: str, age_seconds: float, words: str) -> None:
    assert alarm(life(phase, age_seconds)) == words


def test_a_first_token_that_a_living_gateway_does_not_report_is_one_too() -> None:
    owned = ShownRequest("r", "prefill", "c", "10.0.0.1", 90, 600, owner="gw-1", heartbeats=True)
    assert alarm(owned) == "No first token for 1 min 30 s, and its gateway gw-1 still sends heartbeats."


def test_of_a_gateway_that_never_sent_a_heartbeat_nothing_is_said_that_heartbeats_would_show() -> None:
    mute = ShownRequest("r", "prefill", "c", "10.0.0.1", 90, 600, owner="gw-1")
    assert alarm(mute) == "No first token for 1 min 30 s: its gateway may be gone. Ends in 10 min at the latest."
    assert mute.end == "Times out in"
    words = " ".join([*reasons(mute), alarm(mute)])
    assert "gw-1, which has never sent a heartbeat" in words
    for claim in ("while that sends heartbeats", "has not fallen silent", "is orphaned"):
        assert claim not in words


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("gateway", "gateway reported its end"),
        ("operator", "operator ended it"),
        ("age", "it timed out"),
        ("silence", "Its gateway stopped sending heartbeats"),
        ("engine_drop", "Its engine was dropped"),
        ("elsewhere", "at another node"),
        ("", "does not know why"),
        ("a cause of a later release", "does not know why"),
    ],
)
def test_after_its_end_it_says_who_ended_it_and_nothing_of_a_first_token(cause: str, words: str) -> None:
    over = ShownRequest("r", "done", "c", "10.0.0.1", 5, 60, cause=cause)
    told = " ".join(reasons(over))
    assert words in told
    assert "first token" not in told.lower()
    assert [step.name for step in steps(over)] == ["Sent to the engine", "Over"]


@pytest.mark.parametrize(
    ("shown", "state", "question"),
    [
        (life("prefill"), "in prefill", "Why does this count here?"),
        (life("decode"), "in decode", "Why does this count here?"),
        (ShownRequest("r", "decode", orphaned=True), "orphaned", "Why does this count here?"),
        (life("done"), "over", "Why is it over?"),
        (life("early"), "not started yet", "Why does it not count yet?"),
    ],
)
def test_its_title_fits_its_state(shown: ShownRequest, state: str, question: str) -> None:
    assert (shown.state, shown.question) == (state, question)


@pytest.mark.parametrize(("phase", "words"), [("decode", "Times out in"), ("done", "Forgotten in")])
def test_what_comes_next_has_a_name(phase: str, words: str) -> None:
    assert life(phase).end == words


def test_of_a_gateway_that_started_anew_it_is_not_said_that_it_is_silent() -> None:
    left = ShownRequest(
        "r", "decode", "c", "10.0.0.1", 5, 20, owner="gw-1", orphaned=True, superseded=True, heartbeats=True
    )
    assert alarm(left) == "Orphaned: its gateway gw-1 has restarted. Ends in 20 s."
    assert any("has restarted, and requests of its previous run are orphaned" in words for words in reasons(left))
    assert not any("silent" in words for words in reasons(left))


def test_an_end_that_says_that_the_engine_failed_is_shown_so() -> None:
    failed = replace(life("done"), cause="gateway", outcome="error")
    assert headline(failed) == ("Failed", "on")
    assert "the engine failed" in reasons(failed)[0]

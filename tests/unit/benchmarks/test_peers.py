# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The comparison with Dynamo: both get the same work, and what each counts is judged alike."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from benchmarks.peers.calls import DYNAMO, NODE, RING, WORKS, Side, request_id, ring
from benchmarks.peers.cost import Cost
from benchmarks.peers.counting import PROMPT, Counted, History, Step, histories, play
from benchmarks.peers.dynamo import DynamoMissing, python
from benchmarks.peers.page import page
from benchmarks.spread import Spread
from loadstats.pick.wire import Pick
from loadstats.wire import Add


def bodies(side: Side, number: int) -> list[bytes]:
    """Return the bodies of the first calls of all rows, whole."""
    calls = [call for work in WORKS for call in work.calls(side, "m", number)]
    return [call.request(request_id(1, number)).partition(b"\r\n\r\n")[2] for call in calls if call.front]


def test_both_get_the_same_lengths_of_prompts_and_as_many_engines_in_the_same_order() -> None:
    for number in range(RING):
        add = msgspec.json.decode(NODE.start("m", number, 100).request("r").partition(b"\r\n\r\n")[2], type=Add)
        slot = json.loads(DYNAMO.start("m", number, 100).request("r").partition(b"\r\n\r\n")[2])
        assert (add.cluster, add.request_id, add.prompt_length) == (
            slot["model_name"],
            slot["request_id"],
            slot["new_isl_tokens"],
        )
        assert add.ip == f"10.0.0.{slot['worker_id']}"


def test_hashed_picks_have_as_many_hashes_of_the_same_size() -> None:
    pick = msgspec.json.decode(NODE.pick_hashed("m", 7).request("r").partition(b"\r\n\r\n")[2], type=Pick)
    select = json.loads(DYNAMO.pick_hashed("m", 7).request("r").partition(b"\r\n\r\n")[2])
    assert list(pick.prompt_hash or ()) == select["block_hashes"]
    assert len(select["sequence_hashes"]) == len(select["block_hashes"]) == 64
    assert pick.prompt_length == select["isl_tokens"] == 1024
    assert all(0 < each < 2**63 for each in select["sequence_hashes"])


@pytest.mark.parametrize("side", [NODE, DYNAMO])
def test_calls_are_json_and_fit_on_a_line_of_wrks_file(side: Side) -> None:
    for number in (0, 1, RING - 1):
        for body in bodies(side, number):
            assert json.loads(body)
    for work in WORKS:
        for call in ring(work, side, "m"):
            assert not {"\t", "\n"} & set("".join(call))


def test_ids_have_the_length_that_wrks_script_counts_on_and_differ() -> None:
    ids = {request_id(run, number) for run in range(3) for number in (0, 1, 65536)}
    assert len(ids) == 9
    assert {len(each) for each in ids} == {36}


class Exact:
    """A side that counts what is true: ends are remembered, and calls may be repeated."""

    def __init__(self) -> None:
        self.phases: dict[str, set[str]] = {}

    def tell(self, model: str, step: Step) -> int:
        self.phases.setdefault(step[1], set()).add(step[0])
        return 200

    def count(self, model: str) -> tuple[int, int]:
        live = [phases for phases in self.phases.values() if "start" in phases and "end" not in phases]
        return len(live), sum(PROMPT for phases in live if "first" not in phases)


class Naive:
    """A side that adds and takes away, and refuses what it doesn't know."""

    def __init__(self) -> None:
        self.live: set[str] = set()

    def tell(self, model: str, step: Step) -> int:
        if step[0] == "start":
            if step[1] in self.live:
                return 409
            self.live.add(step[1])
            return 201
        self.live.discard(step[1])
        return 200

    def count(self, model: str) -> tuple[int, int]:
        return len(self.live), 0


def test_the_histories_are_true_by_definition_and_catch_a_counter_that_forgets_early_ends() -> None:
    missed = set()
    for history in histories():
        assert play(history, "m", Exact()) == Counted(*history.truth, {}), history.label
        if play(history, "m", Naive()).requests != history.truth[0]:
            missed.add(history.label)
    assert {"the end overtakes its start", "a start is repeated after its end"} <= missed
    assert "start, first token, end, in order" not in missed
    assert {"500 lives, calls up to three places late", "500 lives, all calls twice and in any order"} <= missed


def test_refusals_are_counted_by_status() -> None:
    twice = History("twice", [("start", "a"), ("start", "a"), ("start", "a")], (1, PROMPT))
    assert play(twice, "m", Naive()).answers == {409: 2}


def spread(value: float) -> Spread:
    return Spread(value, value, value)


@pytest.mark.parametrize(("ratio", "verdict"), [(0.5, ", ahead"), (1.02, ", even"), (1.2, ", **behind**")])
def test_the_page_says_who_takes_less_and_marks_what_is_counted_wrong(ratio: float, verdict: str) -> None:
    cost = Cost(WORKS[0], spread(10 * ratio), spread(10), spread(ratio), spread(70), spread(60), (263, 140))
    history = History("an end overtakes", [], (0, 0))
    text = page([cost], [(history, Counted(0, 0, {}), Counted(1, 100, {404: 2}))], "Measured.", "Versions.")
    assert f"| {ratio:.2f} ({ratio:.2f}–{ratio:.2f}){verdict} | 70 (70–70) | 60 (60–60) | 263 / 140 |" in text
    assert "busy" not in text
    assert "busy" in page([cost], [], "Measured.", "Versions.", busy=True)
    assert "| 0 requests, 0 tokens | 0 requests, 0 tokens | **1 requests, 100 tokens** | 2 × 404 |" in text


def test_without_its_environment_the_target_that_makes_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(DynamoMissing, match="make bench-peers"):
        python(tmp_path)

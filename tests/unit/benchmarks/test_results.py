# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How results are shown and kept."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from benchmarks import lane, latency, ledger, openloop, plot, results
from benchmarks.openloop_client import OpenLoopRun, Scrape
from benchmarks.section import Bar, Reach, Section, table
from benchmarks.spread import Latencies, Spread


def test_a_reach_is_met_up_to_its_limit() -> None:
    assert Reach(2.5, 2.5).show() == "≤ 2.5: met"
    assert Reach(2.51, 2.5).show(" ms") == "≤ 2.5 ms: **missed**"


def test_a_table_keeps_numbers_right_and_cells_whole() -> None:
    assert table(("call", "µs"), [("a|b", "1")]) == "| call | µs |\n| --- | ---: |\n| a\\|b | 1 |"


def test_a_section_ends_with_how_it_was_measured() -> None:
    assert Section("x", "Things", ["one", "two"]).markdown("today") == "## Things\n\none\n\ntwo\n\n*today*"


def test_results_keep_the_sections_that_were_not_measured() -> None:
    first = results.document("", {"a": "## A\n\n1", "b": "## B\n\n1"}, ["a", "b"])
    second = results.document(first, {"b": "## B\n\n2", "c": "## C"}, ["c", "a", "b"])
    assert results.sections(second) == {"a": "## A\n\n1", "b": "## B\n\n2", "c": "## C"}
    assert list(results.sections(second)) == ["c", "a", "b"]
    assert second.startswith("<!--\nSPDX-FileCopyrightText")


def test_results_drop_sections_that_nobody_measures_any_more() -> None:
    first = results.document("", {"gone": "## Gone"}, ["gone"])
    assert results.sections(results.document(first, {"a": "## A"}, ["a"])) == {"a": "## A"}


def load(*latencies_ms: float) -> OpenLoopRun:
    values = array("q", [round(each * 1e6) for each in latencies_ms])
    return OpenLoopRun(values, array("q", [0] * len(values)))


def test_a_row_of_latencies_tells_each_reach() -> None:
    row = latency.row("plain", load(1, 2, 3, 4, 5, 6, 7, 8, 9, 30), p99_ms=5, longest_ms=30)
    assert row[:2] == ("plain", "10")
    assert row[4] == "30.000 (2.000–30.000)"
    assert row[-1] == "p99 ≤ 5 ms: **missed**, longest ≤ 30 ms: met"
    assert len(row) == len(latency.HEAD)
    assert latency.row("plain", load(1))[-1] == ""


def test_the_fifths_of_a_run_show_when_it_was_slow() -> None:
    assert latency.fifths(load(*[1.0] * 8, 50.0, 1.0)) == Spread(1.0, 1.0, 50.0)
    assert latency.fifths(load(2.0, 4.0)) == Spread(3.0, 2.0, 4.0)


def sample(cpu_us: float, waited: float = 0.0) -> lane.Sample:
    return lane.Sample(cpu_us, 50_000.0, 0.98, waited)


def test_the_lane_compares_each_round_with_its_own_floor() -> None:
    rounds = [
        lane.Rounds(lane.CALLS[0], 263, [sample(20), sample(18, 0.5)], [sample(10), sample(6)], []),
        lane.Rounds(lane.CALLS[6], 93_000, [sample(40)], [sample(8)], [sample(20)]),
    ]
    shown = lane.section(rounds, 2, ["All well."])
    assert [bar.value for bar in shown.bars] == [Spread(2.5, 2.0, 3.0), Spread(5.0, 5.0, 5.0)]
    rows = shown.blocks[1].splitlines()
    assert "| POST | 19.0 (18.0–20.0) | 8.0 (6.0–10.0) | 2.50 (2.00–3.00) | ≤ 2.5: met | 263 |  |" in rows[2]
    assert "| 93,000 | 20.0 (20.0–20.0), 2.00 (2.00–2.00) × | 50,000 | 98% / 98% |" in rows[3]
    assert shown.blocks[2].startswith("All well. The servers waited 0.0% of the time for their core (at most 50.0%)")


def test_the_ledger_tells_bytes_pauses_and_costs() -> None:
    times = Latencies(10, 1.0, 2.0, 3.0, 4.0, 12_000.0)
    measured = ledger.LedgerNumbers(1000, 401.0, times, 800.0, times, times, 2_000_000, {"add": [1.0, 3.0]})
    text = ledger.section(measured, 2).markdown("today")
    assert "401 resident bytes each" in text
    assert "≤ 400 bytes: **missed**" in text
    assert "| a full garbage collection |  |  | 0.80 | ≤ 10 ms: met |" in text
    assert "| 1.00 | 4.0 | 12.00 | ≤ 10 ms: **missed** |" in text
    assert "| add | 2.00 (1.00–3.00) |" in text


def test_scrapes_are_told_in_one_sentence() -> None:
    assert openloop.scraped([Scrape(0.2, 3_000_000), Scrape(0.4, 3_100_000)]) == (
        "2 scrapes of 3.1 MB took 300 (200–400) ms each."
    )


@pytest.mark.parametrize(("reach", "expected"), [(None, plot.PLAIN), (2.0, plot.MET), (1.9, plot.MISSED)])
def test_a_bar_shows_whether_it_reached(reach: float | None, expected: str) -> None:
    assert plot.color(Bar("POST", Spread(2.0, 1.0, 3.0), reach)) == expected


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    file = tmp_path / "lane.png"
    plot.draw([Bar("POST", Spread(2.0, 1.9, 2.3), 2.5), Bar("GET", Spread(1.0, 1.0, 1.0))], "CPU / floor", file)
    assert file.read_bytes().startswith(b"\x89PNG")

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Go's durations."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.config.durations import LONGEST_NANOSECONDS, LONGEST_SECONDS, NANOSECONDS, format_duration, parse_duration


# From Go's own src/time/time_test.go, but for those that differ in the nanosecond that is cut off.
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("+0", 0.0),
        ("-0", 0.0),
        ("5s", 5.0),
        ("30s", 30.0),
        ("1478s", 1478.0),
        ("-5s", -5.0),
        ("+5s", 5.0),
        ("5.0s", 5.0),
        ("5.6s", 5.6),
        ("5.s", 5.0),
        (".5s", 0.5),
        ("1.0040s", 1.004),
        ("100.00100s", 100.001),
        ("10ns", 10e-9),
        ("11us", 11e-6),
        ("12µs", 12e-6),
        ("12μs", 12e-6),
        ("13ms", 13e-3),
        ("14s", 14.0),
        ("15m", 900.0),
        ("16h", 57600.0),
        ("3h30m", 12600.0),
        ("10.5s4m", 250.5),
        ("-2m3.4s", -123.4),
        ("1h2m3s4ms5us6ns", 3723.004005006),
        ("39h9m14.425s", 140954.425),
        ("52763797000ns", 52.763797),
        ("0.3333333333333333333h", 1199.999999999),
        ("0.100000000000000000000h", 360.0),
        ("9223372036854775807ns", 9223372036.854775807),
        ("0.1ns", 0.0),
    ],
)
def test_it_reads_what_go_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "-",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "1d",
        "1 s",
        " 1s",
        "1s ",
        "1s\n",
        "1s5",
        "--1s",
        "1e3s",
        "00",
        "1S",
        "١s",
    ],
)
def test_it_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9223372036854775808ns", "2562048h", "1" * 4000 + "s", "-9223372036854775808ns"])
def test_it_refuses_more_than_64_bits_hold(text: str) -> None:
    with pytest.raises(ValueError, match="over 292 years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1e-12, "0s"),
        (1e-9, "1ns"),
        (1.1e-6, "1.1µs"),
        (2.2e-3, "2.2ms"),
        (0.5, "500ms"),
        (1, "1s"),
        (3.3, "3.3s"),
        (60, "1m"),
        (90, "1m30s"),
        (245.5, "4m5.5s"),
        (3600, "1h"),
        (3605.001, "1h5.001s"),
        (660, "11m"),
        (-0.25, "-250ms"),
        (-90, "-1m30s"),
        (100_000_000, "27777h46m40s"),
    ],
)
def test_it_writes_the_short_form(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(-LONGEST_NANOSECONDS, LONGEST_NANOSECONDS))
def test_what_it_writes_it_reads_back_the_same(nanoseconds: int) -> None:
    seconds = parse_duration(f"{nanoseconds}ns")
    # Where a float is coarser than a nanosecond, the longest one rounds up to just past 64 bits.
    if abs(seconds) < LONGEST_SECONDS:
        assert parse_duration(format_duration(seconds)) == seconds


MOST_TERMS = 6
MOST = LONGEST_NANOSECONDS // NANOSECONDS["h"] // MOST_TERMS  # so that all of them, in hours, are within 64 bits


@given(
    st.lists(
        st.tuples(st.integers(0, MOST), st.sampled_from(["ns", "us", "µs", "μs", "ms", "s", "m", "h"])),
        min_size=1,
        max_size=MOST_TERMS,
    )
)
@example([(MOST, "h")] * MOST_TERMS)
def test_the_terms_add_up(terms: list[tuple[int, str]]) -> None:
    whole = parse_duration("".join(f"{number}{unit}" for number, unit in terms))
    assert whole == pytest.approx(sum(parse_duration(f"{number}{unit}") for number, unit in terms))


@given(st.text("0123456789.nsuµmh+- ", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(format_duration(seconds)) == seconds

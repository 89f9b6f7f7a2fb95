# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The format: its messages, and what a profile writes into them."""

from __future__ import annotations

import gzip

import pytest
from google.protobuf import descriptor_pool

from runtime.profiling.profile import Profile
from runtime.profiling.schema import profile_class
from runtime.profiling.stack import Frame

from .pprof import Read

INNER = Frame("app", "Work.inner", "/app.py", 10, 12)
INNER_ELSEWHERE = Frame("app", "Work.inner", "/app.py", 10, 14)
OUTER = Frame("app", "outer", "/app.py", 1, 3)


def profile(**bounds: int) -> Profile:
    return Profile((("samples", "count"), ("cpu", "nanoseconds")), program="node", time_ns=5, **bounds)


def encoded(made: Profile, default: str = "cpu") -> bytes:
    return made.encode(duration_ns=7, period_type=("wall", "nanoseconds"), period=10, default=default, comments=["why"])


def test_messages_are_on_the_wire_as_profile_proto_numbers_them() -> None:
    message = profile_class()(
        sample=[{"location_id": [1, 2], "value": [-1], "label": [{"key": 3, "str": 4, "num": 5, "num_unit": 6}]}],
        mapping=[{"filename": 1, "build_id": 2, "has_functions": True, "has_inline_frames": True}],
        location=[{"id": 1, "line": [{"function_id": 1, "line": 9}], "is_folded": True}],
        function=[{"id": 1, "start_line": 2}],
        string_table=[""],
        period=100,
        default_sample_type=1,
    )
    assert message.SerializeToString() == bytes.fromhex(
        "121a" "0a020102" "120a" + "ff" * 9 + "01" "1a08" "08031004" "18052006"
        "1a08" "2801" "3002" "3801" "5001"
        "220a" "0801" "2204" "08011009" "2801"
        "2a04" "0801" "2802"
        "3200" "6064" "7001"
    )  # fmt: skip


def test_messages_stay_out_of_the_pool_that_others_share() -> None:
    profile_class()
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("perftools.profiles.Profile")


def test_it_states_its_types_times_and_the_one_mapping() -> None:
    read = Read(encoded(profile()))
    assert read.types == [("samples", "count"), ("cpu", "nanoseconds")]
    assert (read.default, read.comments, read.text[0]) == ("cpu", ["why"], "")
    assert (read.message.time_nanos, read.message.duration_nanos, read.message.period) == (5, 7, 10)
    assert read.text[read.message.period_type.type] == "wall"
    (mapping,) = read.message.mapping
    assert read.text[mapping.filename] == "node"
    assert mapping.has_functions
    assert mapping.has_filenames
    assert mapping.has_line_numbers


def test_the_same_profile_is_the_same_bytes() -> None:
    assert encoded(profile()) == encoded(profile())


def test_it_adds_up_by_stack_and_thread() -> None:
    made = profile()
    for thread in ("one", "two", "one"):
        numbers = made.numbers((INNER, OUTER), thread)
        numbers[0] += 1
        numbers[1] += 100
    assert Read(encoded(made)).samples == [
        (("app.Work.inner", "app.outer"), "one", {"samples": 2, "cpu": 200}),
        (("app.Work.inner", "app.outer"), "two", {"samples": 1, "cpu": 100}),
    ]


def test_it_writes_a_function_once_and_a_location_for_each_of_its_lines() -> None:
    made = profile()
    made.numbers((INNER, OUTER))
    made.numbers((INNER_ELSEWHERE, OUTER))
    read = Read(encoded(made))
    assert [place.line[0].line for place in read.message.location] == [12, 3, 14]
    functions = [
        (read.text[it.name], read.text[it.system_name], read.text[it.filename], it.start_line)
        for it in read.message.function
    ]
    assert functions == [("app.Work.inner", "Work.inner", "/app.py", 10), ("app.outer", "outer", "/app.py", 1)]


def test_it_counts_what_is_past_its_bound_under_one_stack() -> None:
    made = profile(max_stacks=2)
    for line in range(5):
        made.numbers((Frame("app", "f", "/app.py", 1, line),), "busy")[0] += 1
    samples = Read(encoded(made)).samples
    assert [(sample.functions, sample.numbers["samples"]) for sample in samples] == [
        (("app.f",), 1),
        (("app.f",), 1),
        (("(more stacks)",), 3),
    ]


def test_it_takes_names_that_are_no_unicode() -> None:
    made = profile()
    made.numbers((Frame("", "f", "/\udcff.py", 1, 1),), "\udc80")
    read = Read(encoded(made))
    assert "/?.py" in read.text
    assert read.samples[0].functions == ("f",)


def test_an_empty_profile_is_valid() -> None:
    assert Read(encoded(profile())).samples == []
    assert gzip.decompress(encoded(profile()))

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The derived serializers against the structs they come from."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from edge.rest.serializer import serializer_of
from loadstats.views import LoadPrompt, LoadStatsView
from loadstats.wire import Add, Ended
from metadata_center.log_level import LevelChange
from replication.views import Event


class Sample(Struct):
    """What the real structs leave out."""

    kind: Literal["a", "b"]
    word: Annotated[str, Meta(max_length=3)] = "xyz"
    count: Annotated[int, Meta(ge=-2, le=2)] | None = None
    size: Annotated[float, Meta(gt=0, le=60)] | None = None
    plain: int = 7


STRUCTS: tuple[type[Struct], ...] = (Add, Ended, LevelChange, Event, Sample)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["", " ", "5", "a", "b", "\x00", "é", "x" * 45, "x" * 46, "x" * 256, "x" * 257])
    | st.sampled_from([-1, 0, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
words = st.text(min_size=1, max_size=8)


def fitting(struct: type[Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are mostly right, each member wrong or missing now and then."""
    good: dict[type[Struct], dict[str, st.SearchStrategy[Any]]] = {
        Add: {
            "cluster": words,
            "request_id": words,
            "ip": words,
            "prompt_length": st.integers(0, 2**31 - 1) | st.none(),
            "timestamp": st.integers(-(2**63), 2**63 - 1) | st.none(),
        },
        Ended: {"request_id": words},
        LevelChange: {"LevelParam": words},
        Event: {
            "event_type": st.sampled_from(["load.stats.set", "load.stats.delete", "load.prompt.delete"]),
            "request_id": words,
            "cluster": words | st.none(),
            "ip": words | st.none(),
            "prompt_length": st.integers(-(2**62), 2**62) | st.none(),
        },
        Sample: {
            "kind": st.sampled_from(["a", "b"]),
            "word": st.text(max_size=3),
            "count": st.integers(-2, 2) | st.none(),
            "size": st.floats(0.5, 60) | st.integers(1, 60) | st.none(),
            "plain": st.integers(-(2**62), 2**62),
        },
    }
    names = sorted(good[struct])
    right = st.fixed_dictionaries({}, optional=good[struct])
    wrong = st.dictionaries(st.sampled_from([*names, "other"]), anything, max_size=1)
    return st.builds(lambda whole, part: whole | part, st.fixed_dictionaries(good[struct]) | right, wrong)


structs_and_objects = st.sampled_from(STRUCTS).flatmap(
    lambda struct: st.tuples(st.just(struct), fitting(struct) | anything)
)


@given(structs_and_objects)
def test_a_serializer_and_its_struct_accept_and_refuse_the_same_json(case: tuple[type[Struct], Any]) -> None:
    struct, value = case
    text = json.dumps(value)
    try:
        accepted = msgspec.json.decode(text, type=struct)
    except msgspec.ValidationError:
        accepted = None
    serializer = serializer_of(struct)(data=json.loads(text))
    assert serializer.is_valid() == (accepted is not None), (accepted, serializer.errors)
    if accepted is not None:
        assert msgspec.convert(serializer.validated_data, struct) == accepted


@given(st.sampled_from(STRUCTS).flatmap(lambda struct: st.tuples(st.just(struct), fitting(struct))))
def test_what_a_struct_accepts_can_be_typed_into_its_form(case: tuple[type[Struct], dict[str, Any]]) -> None:
    struct, value = case
    try:
        accepted = msgspec.convert(json.loads(json.dumps(value)), struct)
    except msgspec.ValidationError:
        return
    fields = {name: "" if member is None else str(member) for name, member in value.items()}
    serializer = serializer_of(struct)(data=QueryDict(urlencode(fields)))
    assert serializer.is_valid(), serializer.errors
    read = msgspec.json.decode(msgspec.json.encode(serializer.validated_data), type=struct)
    blank = {
        name: "" for name, member in value.items() if member is None and struct is Event and name in {"cluster", "ip"}
    }
    assert read == msgspec.structs.replace(accepted, **blank)


@given(
    st.sampled_from(STRUCTS).flatmap(
        lambda struct: st.tuples(
            st.just(struct),
            st.dictionaries(
                st.sampled_from([field.encode_name for field in msgspec.structs.fields(struct)]),
                st.text(max_size=4) | st.sampled_from(["5", "1_0", " 7 ", "9" * 5000, "a", "load.stats.set"]),
            ),
        )
    )
)
def test_what_a_form_passes_on_is_what_the_struct_accepts(case: tuple[type[Struct], dict[str, str]]) -> None:
    struct, fields = case
    serializer = serializer_of(struct)(data=QueryDict(urlencode(fields)))
    if serializer.is_valid():
        msgspec.json.decode(msgspec.json.encode(serializer.validated_data), type=struct)


def test_the_examples_of_every_page_are_valid() -> None:
    for view in (LoadStatsView, LoadPrompt):
        for struct in view.inputs.values():
            serializer = serializer_of(struct)(data=view.examples)
            assert serializer.is_valid(), serializer.errors


def test_it_carries_names_bounds_defaults_and_descriptions() -> None:
    fields = serializer_of(Add)().fields
    assert list(fields)[:3] == ["cluster", "request_id", "ip"]
    prompt = fields["prompt_length"]
    assert (prompt.min_value, prompt.max_value, prompt.required) == (0, 2**31 - 1, False)
    assert prompt.help_text == "in the gateway's own unit"
    assert (fields["cluster"].min_length, fields["cluster"].max_length) == (1, 256)
    assert serializer_of(Sample)().fields["plain"].initial == 7
    assert serializer_of(Event)().fields["event_type"].style == {"header": "Event-Type"}


def test_what_has_no_form_field_of_its_own_is_typed_as_json() -> None:
    class Odd(Struct):
        parts: list[Annotated[int, Meta(ge=0)]] | None = None

    serializer = serializer_of(Odd)
    typed = serializer(data=QueryDict(urlencode({"parts": "[1, 2]"})))
    assert typed.is_valid(), typed.errors
    assert typed.validated_data == {"parts": [1, 2]}
    blank = serializer(data=QueryDict(urlencode({"parts": ""})))
    assert blank.is_valid(), blank.errors
    assert blank.validated_data == {}
    assert not serializer(data={"parts": ""}).is_valid()
    for wrong in ("[1, -2]", "[1", '"x"'):
        typed = serializer(data=QueryDict(urlencode({"parts": wrong})))
        assert not typed.is_valid()
        assert list(typed.errors) == ["parts"]

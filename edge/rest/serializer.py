# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""REST framework's serializers, derived from the handlers' msgspec structs: one schema, written once.

They read forms, whose values are all text, into the JSON that a handler takes, and draw the forms. Strict like the
structs: what a serializer accepts or refuses as JSON, the struct does too. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from msgspec import NODEFAULT, Struct, ValidationError, convert, inspect, structs
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils.html import is_html_input


class Text(serializers.CharField):
    """A string with any character that JSON can hold. It is not trimmed and not made from a number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, allow_blank=not options.get("min_length"), **options)
        self.validators = [v for v in self.validators if not isinstance(v, ProhibitNullCharactersValidator)]

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Whole(serializers.IntegerField):
    """An integer, or an integer's text in a form."""

    def get_value(self, dictionary: Mapping[Any, Any]) -> Any:
        value = super().get_value(dictionary)
        if isinstance(value, str) and is_html_input(dictionary):
            try:
                return int(value)
            except ValueError:
                return value  # to be refused, and shown as it was typed
        return value

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.FloatField):
    """A number, or a number's text in a form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.style.setdefault("input_type", "text")  # browsers' inputs for numbers accept integers only

    def get_value(self, dictionary: Mapping[Any, Any]) -> Any:
        value = super().get_value(dictionary)
        if isinstance(value, str) and is_html_input(dictionary):
            try:
                return float(value)
            except ValueError:
                return value
        return value

    def to_internal_value(self, data: object) -> float:
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Choice(serializers.ChoiceField):
    """One of some strings."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", input=data)
        return data


class Nested(serializers.JSONField):
    """A value that no other field can hold, written as JSON in a form. An empty one is left out."""

    def get_value(self, dictionary: Mapping[Any, Any]) -> Any:
        value = super().get_value(dictionary)
        return empty if value == "" and not self.required and is_html_input(dictionary) else value


def serializer_of(struct: type[Struct]) -> type[serializers.Serializer[Any]]:
    """A serializer with the struct's members: names, bounds, defaults, descriptions.

    A member with `Meta(extra={"header": NAME})` is a header of the call and not of its body; its field carries
    `style["header"]`.
    """
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    types = {field.name: field.type for field in structs.fields(struct)}
    fields = {member.encode_name: _field(member, types[member.name]) for member in info.fields}
    return type(struct.__name__, (serializers.Serializer,), {**fields, "__doc__": struct.__doc__})


def _field(member: inspect.Field, type_: Any) -> serializers.Field[Any, Any, Any, Any]:
    kind = member.type
    options: dict[str, Any] = {"label": member.encode_name, "required": member.required}
    if member.default is not NODEFAULT:
        options["initial"] = member.default
    while True:
        match kind:
            case inspect.Metadata():
                options["help_text"] = (kind.extra_json_schema or {}).get("description", "")
                options["style"] = dict(kind.extra or {})
                kind = kind.type
            case inspect.UnionType(types=(inner, inspect.NoneType())):
                options["allow_null"] = True
                kind = inner
            case inspect.StrType(pattern=None):
                return Text(min_length=kind.min_length, max_length=kind.max_length, **options)
            case inspect.IntType(gt=None, lt=None, multiple_of=None):
                return Whole(min_value=kind.ge, max_value=kind.le, **options)
            case inspect.LiteralType() if all(isinstance(value, str) for value in kind.values):
                return Choice(choices=kind.values, **options)
            case inspect.FloatType():
                return Number(validators=[_fits(type_)], **options)
            case _:
                return Nested(validators=[_fits(type_)], **options)


def _fits(type_: Any) -> Callable[[object], None]:
    """Return a check of values that no field can hold: nested ones, written as JSON in a form."""

    def check(value: object) -> None:
        try:
            convert(value, type_)
        except ValidationError as error:
            raise serializers.ValidationError(str(error)) from None

    return check

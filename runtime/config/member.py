# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The members of the configuration, one by one, from the schema: their names and what they take. Pure.

The readers of files and environment convert raw values here, so the same rules hold for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import msgspec
from msgspec import Struct, inspect

from runtime.config.durations import LONGEST_SECONDS, parse_duration
from runtime.config.error import shown
from runtime.config.schema import Config

# They hold a key or a password. No error and no report shows them.
SECRETS = frozenset(
    {
        "Web.SecretKey",
        "Web.Database",
        "Celery.Broker",
        "Replication.Secret",
        "Replication.Key",
        "Replication.Log",
        "Sockets.RedisUrl",
    }
)


class Member(Struct, frozen=True):
    """One key of one section.

    `section`: its name in files, as `HTTP`.
    `key`: its name in files, as `Port`.
    `table`: the section's class.
    `type_`: what it takes.
    `choices`: the texts that it takes, if the schema does not have them.
    """

    section: str
    key: str
    table: type[Struct]
    type_: inspect.Type
    choices: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Return the full name, as `HTTP.Port`."""
        return f"{self.section}.{self.key}"

    @property
    def is_duration(self) -> bool:
        """Return whether it is a number of seconds: every float of the schema without an upper bound is."""
        return isinstance(self.type_, inspect.FloatType) and self.type_.le is None

    @property
    def is_list(self) -> bool:
        return isinstance(self.type_, inspect.VarTupleType)

    def convert(self, value: object, *, strict: bool = True) -> object:
        """Return the value as plain data of the member's type, durations in seconds.

        Without `strict` a text may stand for a number or a boolean, as in the environment. Raises ValueError, which
        says what was expected.
        """
        try:
            self._check_choice(value)
            if self.is_duration:
                value = _seconds(value)
            table = msgspec.convert({self.key: value}, self.table, strict=strict)
        except ValueError:
            raise ValueError(f"expected {self._expected()}{self._got(value)}") from None
        converted = msgspec.to_builtins(table)[self.key]
        # Line breaks, NUL and bytes other than UTF-8 must not reach a path, a log line or an error.
        texts = converted if self.is_list else [converted]
        if not all(text.isprintable() for text in texts if isinstance(text, str)):
            raise ValueError(f"expected printable text{self._got(value)}")
        return converted

    def _check_choice(self, value: object) -> None:
        if self.choices and value not in self.choices:
            raise ValueError

    def _expected(self) -> str:
        return _one_of(self.choices) if self.choices else _expected(self.type_)

    def _got(self, value: object) -> str:
        return "" if self.path in SECRETS else f", got {shown(value)}"


class ChosenValue(Struct, frozen=True):
    """A value that a file or the environment has for a member.

    `member`: which one.
    `value`: plain data, durations in seconds.
    `source`: the file's path, or `environment` and the variable's name.
    """

    member: Member
    value: object
    source: str


Choices = Mapping[str, Sequence[str]]
"""By a member's path (`Pick.Policy`), the texts that it takes."""


def members(choices: Choices = MappingProxyType({})) -> tuple[Member, ...]:
    """Return every member, in the schema's order. `choices` has those that the schema does not have."""
    return tuple(
        Member(
            section.encode_name,
            field.encode_name,
            table.cls,
            field.type,
            tuple(choices.get(f"{section.encode_name}.{field.encode_name}", ())),
        )
        for section in _sections()
        for table in (cast(inspect.StructType, section.type),)
        for field in table.fields
    )


@cache
def _sections() -> tuple[inspect.Field, ...]:
    """Return the schema's sections. To look at its types takes 15 ms; they do not change."""
    return cast(inspect.StructType, inspect.type_info(Config)).fields


def plain(config: Config) -> dict[str, dict[str, Any]]:
    """Return the configuration's values by section and key."""
    return cast(dict[str, dict[str, Any]], msgspec.to_builtins(config))


def _seconds(value: object) -> object:
    seconds = parse_duration(value) if isinstance(value, str) else value
    if isinstance(seconds, int | float) and not abs(seconds) <= LONGEST_SECONDS:  # nan and inf too
        raise ValueError
    return seconds


def _one_of(values: Iterable[object]) -> str:
    return "one of " + ", ".join(shown(value) for value in values)


def _expected(type_: inspect.Type) -> str:
    text = "a string"
    match type_:
        case inspect.IntType(le=None):
            text = f"an integer of at least {type_.ge}"
        case inspect.IntType():
            text = f"an integer from {type_.ge} to {type_.le}"
        case inspect.FloatType(le=float()):
            text = f"a number from {type_.ge:,.15g} to {type_.le:,.15g}"
        case inspect.FloatType():
            text = 'a duration with its unit, such as "500ms" or "1m30s"' + (", above 0" if type_.gt == 0 else "")
        case inspect.BoolType():
            text = "true or false"
        case inspect.LiteralType():
            text = _one_of(type_.values)
        case inspect.VarTupleType():
            text = "a list of strings"
    return text

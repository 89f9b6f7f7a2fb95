# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One engine's load as answers have it: a struct for programs here, bytes for callers. Immutable.

Both are made from the table of signals. The contract's four members come first, in its order, and are always there. As
bytes a row has only those of our signals that are not 0: absent means 0. It is up to a third shorter so, and most of
what an answer for 1,000 engines costs is to send it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress, product
from json import dumps
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from edge.engine_name import EngineName
from loadstats.ledger.signals import CONTRACT, OURS, SIGNALS, Load, numbers, present

INT64 = {"format": "int64"}  # for clients that are generated from the API's schema


def signal_type(name: str, words: str = "") -> Any:
    """Return the type of a signal as a member of a struct, with what the API's schema says of it, and `words`."""
    signal = SIGNALS[name]
    description = signal.description + words
    return Annotated[int, Meta(description=description, extra_json_schema=INT64 if signal.wide else None)]


class EngineRow(Struct, frozen=True, gc=False):
    """What is the same for the rows of any table of signals."""

    @property
    def engine(self) -> str:
        """The engine's name as text."""
        name: Any = self
        if name.port is UNSET and name.dp_rank is UNSET:
            return str(name.ip)
        return str(EngineName(name.ip, name.port or None, None if name.dp_rank is UNSET else name.dp_rank))


if TYPE_CHECKING:

    class Row(EngineRow, Load, frozen=True):  # type: ignore[misc] # to the checker alone: the members of a frozen struct
        """One engine's load: the signals of `Load`, and these members.

        `ip`: the engine's address, in its one form.
        `updated_time`: when a call last changed the row, in ns since 1970.
        `port`, `dp_rank`: of an engine that was named with them.
        """

        ip: str = ""
        updated_time: int = 0
        port: int | UnsetType = UNSET
        dp_rank: int | UnsetType = UNSET

else:
    _updated = Annotated[
        int, Meta(description="when a call last changed it, in ns since 1970", extra_json_schema=INT64)
    ]
    Row = defstruct(
        "Row",
        [
            (
                "ip",
                Annotated[str, Meta(description="in its one form: RFC 5952, IPv4 inside IPv6 as IPv4")],
            ),
            *((name, signal_type(name)) for name in CONTRACT),
            ("updated_time", _updated),
            *((name, signal_type(name, "; absent: 0"), 0) for name in OURS),
            ("port", int | UnsetType, UNSET),
            ("dp_rank", int | UnsetType, UNSET),
        ],
        bases=(EngineRow,),
        namespace={"__doc__": "One engine's load. `port` and `dp_rank` are of an engine that was named with them."},
        module=__name__,
        frozen=True,
        gc=False,
        omit_defaults=True,
    )


def row_of(name: EngineName, load: Load, updated_ns: int) -> Row:
    """Return an engine's numbers as they are now."""
    signals: dict[str, Any] = dict(zip(SIGNALS, numbers(load), strict=True))
    return Row(
        ip=name.ip,
        updated_time=updated_ns,
        port=UNSET if name.port is None else name.port,
        dp_rank=UNSET if name.dp_rank is None else name.dp_rank,
        **signals,
    )


class _Form(NamedTuple):
    """How a row with some of our signals is written.

    `text`: the row as JSON, to be filled.
    `members`: returns what it takes of an engine.
    """

    text: bytes
    members: Callable[[Load], tuple[object, ...]]


def _form(ours: Iterable[str]) -> _Form:
    pairs = [(name, name) for name in CONTRACT] + [("updated_time", "updated_ns")] + [(name, name) for name in ours]
    text = b",".join([b'"%b":%%d' % name.encode() for name, _ in pairs])
    return _Form(b"%b" + text + b"%b", attrgetter("prefix", *(attribute for _, attribute in pairs), "suffix"))


_FORMS = {some: _form(compress(OURS, some)) for some in product((False, True), repeat=len(OURS))}
"""By which of our signals are not 0."""

_FULL = _form(OURS)


def encoded_row(engine: Load) -> bytes:
    """Return an engine's row as JSON, without those members of ours that are 0."""
    text, members = _FORMS[present(engine)]
    return text % members(engine)


def encoded_full_row(engine: Load) -> bytes:
    """Return an engine's row as JSON, with every member."""
    return _FULL.text % _FULL.members(engine)


def row_prefix(name: EngineName) -> bytes:
    """Return a row's JSON up to its numbers."""
    return b'{"ip":%b,' % dumps(name.ip).encode()


def row_suffix(name: EngineName) -> bytes:
    """Return a row's JSON behind its numbers."""
    port = b"" if name.port is None else b',"port":%d' % name.port
    rank = b"" if name.dp_rank is None else b',"dp_rank":%d' % name.dp_rank
    return b"%b%b}" % (port, rank)

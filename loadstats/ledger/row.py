# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One engine's load as answers have it: a struct for programs here, bytes for callers. Immutable.

Both are made from the table of signals. The contract's four members come first, in its order.
"""

from __future__ import annotations

from json import dumps
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from edge.engine_name import EngineName
from loadstats.ledger.signals import CONTRACT, OURS, SIGNALS, Load, numbers

INT64 = {"format": "int64"}  # for clients that are generated from the API's schema


def signal_type(name: str) -> Any:
    """Return the type of a signal as a member of a struct, with what the API's schema says of it."""
    signal = SIGNALS[name]
    return Annotated[int, Meta(description=signal.description, extra_json_schema=INT64 if signal.wide else None)]


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
            *((name, signal_type(name), 0) for name in OURS),
            ("port", int | UnsetType, UNSET),
            ("dp_rank", int | UnsetType, UNSET),
        ],
        bases=(EngineRow,),
        namespace={"__doc__": "One engine's load. `port` and `dp_rank` are of an engine that was named with them."},
        module=__name__,
        frozen=True,
        gc=False,
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


ROW_FORMAT = b"%b" + b",".join([b'"%b":%%d' % each.encode() for each in (*CONTRACT, "updated_time", *OURS)]) + b"%b"
"""A row as JSON, to be filled with `encoded_members`."""

encoded_members = attrgetter("prefix", *CONTRACT, "updated_ns", *OURS, "suffix")
"""Returns what `ROW_FORMAT` takes of an engine."""


def row_prefix(name: EngineName) -> bytes:
    """Return a row's JSON up to its numbers."""
    return b'{"ip":%b,' % dumps(name.ip).encode()


def row_suffix(name: EngineName) -> bytes:
    """Return a row's JSON behind its numbers."""
    port = b"" if name.port is None else b',"port":%d' % name.port
    rank = b"" if name.dp_rank is None else b',"dp_rank":%d' % name.dp_rank
    return b"%b%b}" % (port, rank)

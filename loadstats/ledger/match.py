# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a client believes of an engine when it adds a request. Immutable; compared with the ledger's lock held."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from edge.engine_name import EngineName
from loadstats.ledger.cluster import Engine
from loadstats.ledger.row import Row


class Match(Struct, frozen=True):
    """What a client believes of an engine's row. None: it doesn't care."""

    queued_req_num: Annotated[int, Meta(ge=0)] | None = None
    prompt_length: Annotated[int, Meta(ge=0)] | None = None
    prefill_req_num: Annotated[int, Meta(ge=0)] | None = None

    def check(self, engine: Engine | None, name: str) -> None:
        """Compare with the engine of this name; None for one that is not listed, which is idle. Raises `Mismatch`."""
        row = Engine(parts=EngineName.of(name)).row() if engine is None else engine.row()
        for member in self.__struct_fields__:
            expected = getattr(self, member)
            if expected is not None and expected != getattr(row, member):
                raise Mismatch(row)


class Mismatch(Exception):
    """An engine is not as a client believes; `row` is how it is."""

    def __init__(self, row: Row) -> None:
        super().__init__("the engine's load is another")
        self.row = row

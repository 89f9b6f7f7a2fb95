# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handler of `POST /log/level`. Called on the event loop or on Django's threads."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from edge.call import Call, Route
from edge.caller import Scope
from edge.errors import InvalidInput
from runtime.logs.levels import PYTHON_LEVELS, UnknownLevel
from runtime.logs.setup import Logs


class LevelChange(msgspec.Struct, frozen=True):
    """How much the log is to tell. Members that are not named here are ignored."""

    level: Annotated[
        str, msgspec.Meta(description="in this case exactly", extra_json_schema={"enum": list(PYTHON_LEVELS)})
    ] = msgspec.field(name="LevelParam")


_decode: Final = msgspec.json.Decoder(LevelChange).decode


class LogHandlers:
    """Handlers over one node's logs."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def routes(self) -> tuple[Route, ...]:
        """Return the calls' routes."""
        return (Route("POST", "/log/level", self.set_level, scope=Scope.OPERATE),)

    def set_level(self, call: Call) -> bytes:
        """`POST /log/level`: changes the log level. Takes effect at once."""
        try:
            change = _decode(call.body)
        except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, nested too deeply, or another shape
            raise InvalidInput(f'body: expected {{"LevelParam": "<level>"}}: {error}') from error
        try:
            self._logs.set_level(change.level)
        except UnknownLevel as error:
            raise InvalidInput(str(error)) from None
        return b'"log level updated successfully"'

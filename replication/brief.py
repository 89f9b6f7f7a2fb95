# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Members at the end of an array that say nothing new are not sent.

A message may get members at its end from one release to the next. Nodes of the release before ignore them, and where
they are missing they have their default. So a message that uses nothing new is the same bytes as before. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, fields


class Brief:
    """Shortens events and copies before they are encoded.

    `always` has, for each type, how many of its members are always sent. Other types are sent as they are.
    """

    def __init__(self, always: Mapping[type[Struct], int]) -> None:
        self._rest = {
            each: (each.__struct_config__.tag, number, tuple(field.default for field in fields(each)))
            for each, number in always.items()
        }

    def __call__(self, message: Any) -> Any:
        """Return the message as it is encoded: an array of its tag, where it has one, and its members."""
        rest = self._rest.get(type(message))
        if rest is None:
            return message
        tag, least, defaults = rest
        members = astuple(message)
        last = len(members)
        while last > least and members[last - 1] == defaults[last - 1]:
            last -= 1
        return members[:last] if tag is None else (tag, *members[:last])

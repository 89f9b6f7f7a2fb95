# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks this node what its API answers, without a connection. Runs on Django's threads."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from edge.call import Call
from edge.dispatcher import Dispatcher
from edge.errors import NotFound
from runtime.running import part

DataT = TypeVar("DataT")


def ask(path: str, expected: type[DataT], **query: str) -> DataT:
    """A GET's `data`, from the handler that answers everyone else. Raises ContractError as the handler does."""
    route = part(Dispatcher).table.find(b"GET", path.encode())
    if route is None:
        raise NotFound(f"{path}: no such path")
    return msgspec.json.decode(route.handler(Call(urlencode(query).encode(), b"", {})), type=expected)

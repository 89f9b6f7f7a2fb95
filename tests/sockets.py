# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests ask of a websocket's client."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_at_once

SECONDS = 60.0


def connect(url: str, **options: Any) -> ClientConnection:
    """A client of a node, with patience: the library's own is 10 s for the handshake and 20 s for a ping's answer."""
    patient = {"open_timeout": SECONDS, "ping_timeout": SECONDS, "proxy": None}
    return connect_at_once(url, **patient | options)


def closed_with(client: ClientConnection) -> int:
    """The code with which the node closes a socket, after what it still sends."""
    with pytest.raises(ConnectionClosed) as caught:
        read_on(client)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def read_on(client: ClientConnection) -> None:
    """Read until the socket is closed."""
    while True:
        client.recv(SECONDS)

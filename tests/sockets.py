# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests ask of a websocket's client."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

SECONDS = 60.0


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

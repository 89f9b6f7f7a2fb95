# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the calls about the node itself."""

from typing import ClassVar, Literal

from edge.errors import NotFound, Unavailable
from edge.rest.viewset import HandlerViewSet
from metadata_center.clients import ClientRow
from metadata_center.log_level import LevelChange
from metadata_center.notices.handlers import EVENTS
from metadata_center.notices.wire import EventQuery, NodeEvents
from metadata_center.status import Ready, Unready, Versions


class Livez(HandlerViewSet):
    """Is this node alive? For whoever restarts it when it is not."""

    path = "/livez"
    inputs: ClassVar = {"GET": None}
    outputs: ClassVar = {"GET": Literal["alive"]}


class Readyz(HandlerViewSet):
    """Should this node be sent requests? For load balancers, and for people who ask why not."""

    path = "/readyz"
    inputs: ClassVar = {"GET": None}
    outputs: ClassVar = {"GET": Ready}
    errors: ClassVar = {"GET": {Unavailable: Unready}}


class Version(HandlerViewSet):
    """What runs here."""

    path = "/version"
    inputs: ClassVar = {"GET": None}
    outputs: ClassVar = {"GET": Versions}
    examples: ClassVar = {"version": "0.1.0", "python": "3.11.7"}


class LogLevel(HandlerViewSet):
    """How talkative the log is: TRACE, DEBUG, INFO, WARN, ERROR or FATAL."""

    path = "/log/level"
    permission = "metadata_center.set_log_level"
    inputs: ClassVar = {"POST": LevelChange}
    outputs: ClassVar = {"POST": Literal["log level updated successfully"]}
    examples: ClassVar = {"LevelParam": "INFO"}


class LargestClients(HandlerViewSet):
    """Which clients take most of this node? For operators; docs/quotas.md says what a client is."""

    path = "/v1/node/clients"
    inputs: ClassVar = {"GET": None}
    outputs: ClassVar = {"GET": list[ClientRow]}
    examples: ClassVar = {
        "client": "10.0.0.7",
        "connections": 1024,
        "calls": 180000,
        "refused_calls": 0,
        "waits": 3,
        "sockets": 0,
        "pages": 0,
    }


class Events(HandlerViewSet):
    """What happened on the nodes that matters? docs/operations.md says what each kind means."""

    path = EVENTS
    inputs: ClassVar = {"GET": EventQuery}
    outputs: ClassVar = {"GET": NodeEvents}
    errors: ClassVar = {"GET": {NotFound: None}}
    examples: ClassVar = {
        "limit": 20,
        "id": "10.0.0.9:8080@18eab1233cf2c88e:7",
        "kind": "peer_lost",
        "severity": "error",
        "node": "10.0.0.9:8080",
        "time_ns": 1_795_440_123_000_000_000,
        "first_time_ns": 1_795_440_120_000_000_000,
        "times": 3,
        "peer": "10.0.0.8:8080",
        "text": "Peer 10.0.0.8:8080 is lost: connection refused",
    }

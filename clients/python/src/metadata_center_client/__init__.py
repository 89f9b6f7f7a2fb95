# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The Python client of Metadata Center. `Client` and `AsyncClient` make calls; `Reporter` and `AsyncReporter` report a
gateway's requests in the background; `live.follow` keeps a cluster's load at hand (extra `live`)."""

from metadata_center_client.async_client import AsyncClient
from metadata_center_client.async_reporter import AsyncReporter
from metadata_center_client.client import Client
from metadata_center_client.errors import CallRefused, MetadataCenterError, NoNodeAnswered
from metadata_center_client.reporter import Reporter
from metadata_center_client.rows import (
    CachedPrefix,
    CachedPrefixes,
    ClientRow,
    ClusterLoad,
    EngineLoad,
    Gateway,
    GatewayPage,
    LoadHistory,
    NodeEvent,
    NodeEvents,
    OperationResult,
    OwnerEnded,
    PeerLag,
    PickedEngine,
    Readiness,
    RequestState,
    Standing,
    Versions,
)
from metadata_center_client.tracked import TrackedRequest

__all__ = [
    "AsyncClient",
    "AsyncReporter",
    "CachedPrefix",
    "CachedPrefixes",
    "CallRefused",
    "Client",
    "ClientRow",
    "ClusterLoad",
    "EngineLoad",
    "Gateway",
    "GatewayPage",
    "LoadHistory",
    "MetadataCenterError",
    "NoNodeAnswered",
    "NodeEvent",
    "NodeEvents",
    "OperationResult",
    "OwnerEnded",
    "PeerLag",
    "PickedEngine",
    "Readiness",
    "Reporter",
    "RequestState",
    "Standing",
    "TrackedRequest",
    "Versions",
]

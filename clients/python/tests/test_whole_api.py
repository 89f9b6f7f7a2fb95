# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The client has a call for each operation of the API, and its two halves are alike."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from metadata_center_client import AsyncClient, AsyncReporter, Client, Reporter, calls, rows
from metadata_center_client.calls import Call

SCHEMA = yaml.load((Path(__file__).parents[3] / "docs" / "openapi.yaml").read_text(), yaml.CSafeLoader)
BETWEEN_NODES = {("POST", "/v1/replica/event")}  # what nodes of the Go version send each other
NOT_CALLS = {"ask", "close", "make", "make_at"}
ARGUMENTS: dict[str, Any] = {
    "cluster": "c", "request_id": "r", "ip": "10.0.0.1", "owner": "g", "level": "INFO", "ttl_seconds": 9, "key": "",
    "members": {}, "operations": [], "request_ids": ["r"], "prompt_hash": [1],
}  # fmt: skip
SCHEMAS = {
    "CachedPrefix": "CacheLocation", "ClientRow": "ClientRow", "ClusterLoad": "Totals", "Dropped": "Cleared",
    "EngineLoad": "Row", "Gateway": "GatewayView", "GatewayPage": "GatewayPage", "LoadHistory": "LoadHistory",
    "NodeEvent": "NodeEvent", "NodeEvents": "NodeEvents", "NodePart": "Part", "OperationResult": "Taken",
    "OwnerEnded": "OwnerEnded", "PeerLag": "PeerLag", "PickedEngine": "Picked", "Readiness": "Ready",
    "Refreshed": "Refreshed", "RequestState": "Found", "Standing": "Standing", "Versions": "Versions",
}  # fmt: skip


def operations() -> set[tuple[str, str]]:
    """The method and path of each operation of the API."""
    methods = {"get", "put", "post", "delete", "patch"}
    return {(method.upper(), path) for path, each in SCHEMA["paths"].items() for method in methods & each.keys()}


def call_of(function: Any) -> Call[Any]:
    """What a function of `calls` returns for made-up arguments."""
    return function(*[ARGUMENTS.get(name) for name in inspect.signature(function).parameters])


def call_names() -> list[str]:
    return sorted(name for name in vars(Client) if not name.startswith("_") and name not in NOT_CALLS)


def test_each_operation_of_the_api_has_a_call() -> None:
    made = [call_of(getattr(calls, name)) for name in call_names()]
    sent = [(call.method, call.target.partition("?")[0]) for call in made]
    assert len(set(sent)) == len(sent)
    assert set(sent) == operations() - BETWEEN_NODES


@pytest.mark.parametrize("halves", [(Client, AsyncClient), (Reporter, AsyncReporter)])
def test_both_halves_have_the_same_methods(halves: tuple[type, type]) -> None:
    def public(half: type) -> dict[str, tuple[list[str], str]]:
        return {
            name: (list(inspect.signature(each).parameters), each.__doc__ or "")
            for name, each in inspect.getmembers(half, inspect.isfunction)
            if not name.startswith("_")
        }

    one, other = map(public, halves)
    assert one == other


@pytest.mark.parametrize(("row", "schema"), SCHEMAS.items())
def test_a_row_has_members_of_the_api_alone(row: str, schema: str) -> None:
    known = set(SCHEMA["components"]["schemas"][schema]["properties"])
    assert set(getattr(rows, row).__struct_fields__) <= known


def test_each_row_is_compared_with_the_api() -> None:
    structs = set(re.findall(r"^class (\w+)\(", inspect.getsource(rows), re.MULTILINE))
    assert structs - set(SCHEMAS) == {"ErrorPart", "CachedPrefixes"}

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: complete, valid, as committed, and true of what the handlers answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import resolve
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.plumbing import ComponentRegistry
from jsonschema import Draft202012Validator
from msgspec import Struct

from edge.caller import Scope
from edge.errors import ContractError, InvalidInput, NotFound
from edge.pages import AUTHENTICATE
from edge.rest.openapi.answers import responses
from edge.rest.openapi.components import Components
from edge.rest.openapi.operation import tag_of
from tests.nodes import ROOT
from tests.unit.partial_node import PartialNode

COMMITTED = ROOT / "docs" / "openapi.yaml"
YAML, JSON = "application/yaml", "application/json"


def from_yaml(text: str | bytes) -> Any:
    """Read it in C: in Python it takes a second, and under coverage two."""
    return yaml.load(text, yaml.CSafeLoader)  # one that is safe


@pytest.fixture(scope="module")
def document() -> Any:
    return from_yaml(COMMITTED.read_text())


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def resolved(document: Any, part: Any) -> Any:
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        document = document[name]
    return document


def check(document: Any, schema: Any, value: Any) -> None:
    validator = Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(value)


def test_the_committed_document_is_the_one_that_the_handlers_make(tmp_path: Path) -> None:
    call_command("openapi", str(tmp_path / "openapi.yaml"))  # it validates it, too
    assert (tmp_path / "openapi.yaml").read_text() == COMMITTED.read_text(), "run `make schema`, commit it"


def test_two_types_of_one_name_end_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Struct):
        other: int

    monkeypatch.setitem(resolve("/v1/load/stats").func.cls.outputs, "DELETE", Ended)
    with pytest.raises(CommandError, match="two types"):
        call_command("openapi", str(tmp_path / "openapi.yaml"))
    assert not (tmp_path / "openapi.yaml").exists()
    assert GENERATOR_STATS
    reset_generator_stats()


def test_every_call_is_in_it_once(document: Any, node: PartialNode) -> None:
    calls = {(route.path, route.method) for route in node.dispatcher.table if not route.internal}
    assert {(path, method) for path, method, _ in operations(document)} == calls
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == tags


def test_every_call_is_described_in_words(document: Any) -> None:
    for _, _, operation in operations(document):
        assert 3 <= len(operation["summary"]) <= 100
        assert len(operation["description"]) > 10
        assert not operation["summary"].endswith(".")


def test_every_call_lists_what_a_caller_without_the_right_gets_and_how_to_prove_itself(
    document: Any, node: PartialNode
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {(each["type"], each.get("name", each.get("scheme"))) for each in schemes.values()} == {
        ("http", "bearer"),
        ("apiKey", "X-API-Key"),
        ("apiKey", settings.SESSION_COOKIE_NAME),
    }
    scopes = {(route.path, route.method): route.scope for route in node.dispatcher.table}
    for path, method, operation in operations(document):
        scope = scopes[path, method]
        assert "429" in operation["responses"]
        assert {"401", "403"} & set(operation["responses"]) == ({"401", "403"} if scope is not None else set())
        ways = {name for way in operation["security"] for name in way}
        expected = set() if scope is None else set(schemes) - ({"session"} if scope is Scope.REPLICATE else set())
        assert ways == expected
        assert {} in operation["security"]  # settings decide whether one is needed
        if scope is not None:
            refused = resolved(document, operation["responses"]["401"])
            header = resolved(document, refused["headers"]["WWW-Authenticate"])
            assert header["schema"] == {"const": AUTHENTICATE}


def test_every_example_is_what_its_schema_says(document: Any) -> None:
    checked = 0
    for _, _, operation in operations(document):
        parts = [resolved(document, answer) for answer in operation["responses"].values()]
        parts += [operation["requestBody"]] if "requestBody" in operation else []
        for content in (part["content"]["application/json"] for part in parts if "content" in part):
            examples = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
            for example in examples:
                check(document, content["schema"], example)
                checked += 1
        for parameter in operation["parameters"]:
            if "example" in parameter:
                check(document, parameter["schema"], parameter["example"])
                checked += 1
    assert checked > 70


def test_every_answer_carries_the_trace_id(document: Any) -> None:
    for _, _, operation in operations(document):
        assert {"$ref": "#/components/parameters/TraceId"} in operation["parameters"]
        for answer in operation["responses"].values():
            assert "X-Trace-ID" in resolved(document, answer)["headers"]


@pytest.mark.parametrize(
    "target", ["/livez", "/readyz", "/version", "/v1/load/stats?cluster=c", "/v1/load/stats?cluster=none"]
)
def test_an_answer_has_the_members_that_are_documented_and_no_others(node: PartialNode, target: str) -> None:
    node.add("r")
    data = Client().get(target).json()["data"]
    output = resolve(target.partition("?")[0]).func.cls.outputs["GET"]
    assert msgspec.to_builtins(msgspec.convert(data, output)) == data


def test_a_looked_up_request_has_the_members_that_are_documented(node: PartialNode) -> None:
    node.add("r")
    data = Client().get("/v1/load/request?request_id=r").json()["data"]
    output = resolve("/v1/load/request").func.cls.outputs["GET"]
    assert msgspec.to_builtins(msgspec.convert(data, output)) == data


@pytest.mark.parametrize(
    ("target", "accept", "media_type"),
    [
        *(
            pytest.param("/schema/", accept, media_type, marks=pytest.mark.no_cover)
            for accept, media_type in (
                ("*/*", JSON),
                ("", JSON),
                ("image/png", JSON),
                (JSON, JSON),
                (YAML, YAML),
                ("application/vnd.oai.openapi, */*;q=0.1", "application/vnd.oai.openapi"),
            )
        ),
        ("/schema/?format=yaml", "*/*", YAML),
        ("/schema/?format=yaml", JSON, YAML),
        ("/schema/?format=json", YAML, JSON),
        ("/schema/?format=yaml", "text/yaml", "text/yaml"),
    ],
)
def test_it_is_served_in_either_form(node: PartialNode, target: str, accept: str, media_type: str) -> None:
    response = Client().get(target, headers={"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == media_type
    assert response["Vary"] == "Accept"
    read: Any = from_yaml if "json" not in media_type else json.loads
    assert set(read(response.content)["paths"]) == {route.path for route in node.dispatcher.table if not route.internal}


def test_an_unknown_form_is_named(node: PartialNode) -> None:
    response = Client().get("/schema/?format=xml")
    assert response.status_code == 400
    assert response.json()["error"]["reason"] == "format: expected json or yaml, got 'xml'"


@pytest.mark.parametrize("target", ["/schema/", "/docs/"])
def test_it_is_only_read(node: PartialNode, target: str) -> None:
    response = Client().post(target, headers={"Accept": JSON})
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_its_page_loads_nothing_from_elsewhere(node: PartialNode) -> None:
    response = Client().get("/docs/", headers={"Accept": "text/html"})
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert b"://" not in response.content


class Odd(Struct):
    kind: Literal["b", "a"]
    text: str
    size: float = 0.5
    more: list[int] | None = None


def test_an_example_is_made_up_where_nobody_gave_one() -> None:
    components = Components(ComponentRegistry(), {"text": "given"})
    assert components.example(list[Odd]) == [{"kind": "a", "text": "given", "size": 0.5, "more": None}]


def test_errors_of_one_status_are_told_apart() -> None:
    class Twice(ContractError):
        code = 40001000
        message = "duplicate data"

    registry = ComponentRegistry()
    answers = responses(Components(registry, {}), None, {Twice: None, NotFound: Odd})
    both = answers["400"]
    assert both["description"] == "Duplicate data (40001000); invalid input (40001400)."
    examples = both["content"]["application/json"]["examples"]
    assert {each["value"]["error"]["code"] for each in examples.values()} == {40001000, InvalidInput.code}
    found = answers["404"]["content"]["application/json"]
    document = {"components": registry.build({})}
    for example in examples.values():
        check(document, both["content"]["application/json"]["schema"], example["value"])
    check(document, found["schema"], found["example"])
    assert found["example"]["data"]["kind"] == "a"


@pytest.mark.parametrize(
    ("path", "tag"), [("/v1/load/stats", "load"), ("/v1/replica/event", "replica"), ("/livez", "node")]
)
def test_calls_are_grouped_by_their_paths(path: str, tag: str) -> None:
    assert tag_of(path) == tag

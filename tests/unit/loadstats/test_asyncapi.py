# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`docs/asyncapi.yaml` describes the messages that are really sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator, ValidationError

import metadata_center
from loadstats.live import feed as feeds
from loadstats.live.summary_view import LISTED
from tests.unit.loadstats.test_live import Live, run

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
PATHS = {"summary": "/ws/load/", "cluster": "/ws/load/c/"}


def validator(channel: str, kind: str) -> Draft7Validator:
    """Of a channel's message; AsyncAPI's schemas are JSON Schema draft 7 where they say nothing else."""
    reference = DOCUMENT["channels"][channel]["messages"][kind]["$ref"]
    name = reference.removeprefix("#/components/messages/")
    schema = DOCUMENT["components"]["messages"][name]["payload"]
    Draft7Validator.check_schema(schema)
    return Draft7Validator({**schema, "components": DOCUMENT["components"]})


def row_validator(name: str) -> Draft7Validator:
    """Of an engine's or a cluster's row."""
    return Draft7Validator({**DOCUMENT["components"]["schemas"][name], "components": DOCUMENT["components"]})


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_its_references_lead_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        target = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_it_is_of_this_release_and_names_the_real_paths_and_bounds() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == metadata_center.__version__
    assert {name: channel["address"] for name, channel in DOCUMENT["channels"].items()} == {
        "summary": "/ws/load/",
        "cluster": "/ws/load/{cluster}/",
    }
    snapshot = DOCUMENT["components"]["messages"]["summarySnapshot"]["payload"]
    assert snapshot["properties"]["clusters"]["maxItems"] == LISTED


def test_rows_are_described_in_full() -> None:
    live = Live()
    live.add("c", "[::1]:8000/3")
    live.ledger.add("owned", "c", "10.0.0.1", 5, 0.0, 9, owner="gateway")
    live.ledger.tokens("owned", 700, 3, 0.0, 9)
    live.ledger.beat("gateway", 1, 0.0, 9)
    while live.ledger.lapse(3.0, 11):
        pass
    engines = msgspec.json.decode(live.ledger.loads.answer("c"))
    seen: dict[str, Any] = {}

    async def test() -> None:
        async with live.open(PATHS["summary"]) as client:
            seen.update((await client.said())["clusters"][0])

    run(test)
    for name, row in (("engine", engines[0]), ("engine", engines[1]), ("cluster", seen)):
        validator = row_validator(name)
        assert set(row) <= set(validator.schema["properties"])
        validator.validate(row)
        for member in row:
            with pytest.raises(ValidationError):
                validator.validate({**row, member: None})
    assert {name for row in engines for name in row} == set(row_validator("engine").schema["properties"])
    assert set(seen) == set(row_validator("cluster").schema["properties"])


@pytest.mark.parametrize("channel", ["summary", "cluster"])
def test_every_kind_of_message_is_as_described(channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ALIVE_SECONDS", 0.02)
    said: dict[str, dict[str, Any]] = {}

    async def test() -> None:
        live = Live()
        live.add()
        live.add("d", "[::1]:8000/3")
        async with live.open(PATHS[channel]) as client:

            async def until(true: Callable[[dict[str, Any]], object]) -> None:
                while True:
                    message = await client.said()
                    validator(channel, message["type"]).validate(message)
                    said[message["type"]] = message
                    if true(message):
                        return

            async with asyncio.timeout(60):
                await until(lambda message: message["type"] == "alive")
                live.add()
                await until(lambda message: message["type"] == "changes")
                live.ledger.clear()
                await until(lambda message: message.get("gone"))

    run(test)
    assert set(said) == {"snapshot", "changes", "alive"}
    for kind, message in said.items():
        for member in message:
            with pytest.raises(ValidationError):
                validator(channel, kind).validate({**message, member: None})
            with pytest.raises(ValidationError):
                validator(channel, kind).validate({key: value for key, value in message.items() if key != member})
        with pytest.raises(ValidationError):
            validator(channel, kind).validate({**message, "other": 1})

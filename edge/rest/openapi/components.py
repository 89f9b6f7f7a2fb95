# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What operations share: msgspec's JSON Schemas of the handlers' types, and examples of their values."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import msgspec
from drf_spectacular.plumbing import ComponentIdentity, ComponentRegistry, ResolvedComponent
from msgspec import UNSET, Struct

SIMPLE = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "null": None}


class Components:
    """A registry of a document's components.

    `registry`: drf-spectacular's own.
    `examples`: values of members, by name; UNSET leaves a member out of answers.
    """

    def __init__(self, registry: ComponentRegistry, examples: Mapping[str, Any]) -> None:
        self._registry = registry
        self._examples = examples

    def put(self, kind: str, name: str, value: Mapping[str, Any]) -> dict[str, str]:
        """Keep a component and return the reference to it. drf-spectacular warns of two that differ under one name."""
        self._registry.register_on_missing(ResolvedComponent(name, kind, value, ComponentIdentity(value)))
        return {"$ref": f"#/components/{kind}/{name}"}

    def schema(self, type_: Any) -> dict[str, Any]:
        """Return a type's JSON Schema. The structs in it are components."""
        schema, named = _schema(type_)
        for name, component in named.items():
            self.put("schemas", name, component)
        return schema

    def inline(self, struct: type[Struct]) -> dict[str, Any]:
        """Return a struct's JSON Schema, without making it a component."""
        schema: dict[str, Any] = _schema(struct)[1][struct.__name__]
        return {"required": [], **schema}

    def example(self, type_: Any) -> Any:
        """Return an example of a type."""
        schema, named = _schema(type_)
        return self._example(schema, named)

    def _example(self, schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
        match schema:
            case {"$ref": reference}:
                return self._example(named[reference.rpartition("/")[2]], named)
            case {"examples": [first, *_]} | {"enum": [first, *_]} | {"const": first} | {"default": first}:
                return first
            case {"anyOf": [first, *_]}:
                return self._example(first, named)
            case {"type": "array", "items": items}:
                return [self._example(items, named)]
            case {"type": "object"}:
                members = schema.get("properties", {}).items()
                values = {name: self._examples.get(name, self._example(member, named)) for name, member in members}
                return {name: value for name, value in values.items() if value is not UNSET}
            case _:
                return SIMPLE[schema["type"]]


def _schema(type_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    (schema,), named = msgspec.json.schema_components([type_], ref_template="#/components/schemas/{name}")
    for component in named.values():
        component["description"] = cleandoc(component.get("description", ""))
    return schema, named

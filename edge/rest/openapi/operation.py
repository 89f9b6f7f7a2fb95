# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One call as OpenAPI describes it: input and answers, from its view and its handler. Stateless."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry

from edge.rest.described import Described
from edge.rest.description import details, headline
from edge.rest.openapi.answers import responses
from edge.rest.openapi.components import Components
from edge.rest.serializer import serializer_of

TRACE_ID = {
    "name": "TraceId",
    "in": "header",
    "description": "The caller's own id for this call. The answer repeats up to 256 bytes of it.",
    "schema": {"type": "string"},
}

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer. As long as there is no other answer, it is 304 without a body.",
    "schema": {"type": "string"},
}


class HandlerSchema(AutoSchema):
    """Describes a view's operations to drf-spectacular."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any]:
        """Return the operation. The types that it names become components in the registry."""
        view = cast("Described", self.view)
        components = Components(registry, view.examples)
        tag = tag_of(view.path)
        return {
            "operationId": f"{tag}_{view.route(method).handler.__name__}",
            "tags": [tag],
            "summary": headline(view, method),
            "description": details(view, method),
            **_request(view, method, components),
            "responses": responses(
                components, view.outputs[method], view.errors.get(method, {}), tagged=method in view.tagged
            ),
        }


def tag_of(path: str) -> str:
    """Return the group of a path: `load` for `/v1/load/stats`, `node` for a path without a version."""
    parts = path.split("/")
    return parts[2] if parts[1] == "v1" else "node"


def _request(view: Described, method: str, components: Components) -> dict[str, Any]:
    """Return what a call takes: a GET in its query, any other in its body, and some of it in headers."""
    parameters: list[dict[str, Any]] = [components.put("parameters", "TraceId", TRACE_ID)]
    if method in view.tagged:
        parameters.append(components.put("parameters", "IfNoneMatch", IF_NONE_MATCH))
    struct = view.inputs[method]
    if struct is None:
        return {"parameters": parameters}
    fields = serializer_of(struct)().fields.items()
    headers = {name: field.style["header"] for name, field in fields if "header" in field.style}
    schema = components.inline(struct)
    for name in list(schema["properties"]):
        if method == "GET" or name in headers:
            member = schema["properties"].pop(name)
            parameters.append(
                {
                    "name": headers.get(name, name),
                    "in": "header" if name in headers else "query",
                    "required": name in schema["required"],
                    "description": member.pop("description", ""),
                    "schema": member,
                    **({"example": view.examples[name]} if name in view.examples else {}),
                }
            )
    if method == "GET":
        return {"parameters": parameters}
    body = {name: value for name, value in view.examples.items() if name in schema["properties"]}
    if headers:
        schema["required"] = [name for name in schema["required"] if name in schema["properties"]]
    else:
        schema = components.schema(struct)
    content = {"application/json": {"schema": schema, "example": body}}
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}

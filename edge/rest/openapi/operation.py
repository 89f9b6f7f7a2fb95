# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One call as OpenAPI describes it: input and answers, from its view and its handler. Stateless."""

from __future__ import annotations

from typing import Any, Final, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry

from edge.call import Route
from edge.caller import Scope
from edge.rest.described import Described
from edge.rest.description import details, headline
from edge.rest.openapi.answers import DOORS, responses
from edge.rest.openapi.components import Components
from edge.rest.serializer import serializer_of

SESSION_COOKIE = "sessionid"  # Django's default, which the settings leave alone

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


SESSION: Final = "session"
SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key. Needed for what changes the node unless the call comes from its machine, and, with"
        " `[Auth] Required`, for all calls but `/livez`, `/readyz` and `/version`.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, as `bearer`."},
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A person who is signed in. What changes something needs the token of a page as well"
        " (`X-CSRFToken`).",
    },
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
        route = view.route(method)
        doors = DOORS if route.scope is not None else {}
        return {
            "operationId": f"{tag}_{route.handler.__name__}",
            "tags": [tag],
            "summary": headline(view, method),
            "description": details(view, method),
            **_request(view, method, components),
            "security": _security(route, components),
            "responses": responses(
                components,
                view.outputs[method],
                view.errors.get(method, {}),
                tagged=method in view.tagged,
                doors=doors,
            ),
        }


def _security(route: Route, components: Components) -> list[dict[str, list[str]]]:
    """Return what a caller may prove itself by: nothing, or one of the ways. Settings decide whether it has to."""
    if route.scope is None:
        return [{}]
    for name, scheme in SCHEMES.items():
        components.put("securitySchemes", name, scheme)
    ways = [name for name in SCHEMES if name != SESSION or route.scope is not Scope.REPLICATE]
    needed: list[dict[str, list[str]]] = [{name: []} for name in ways]
    return [{}, *needed]


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

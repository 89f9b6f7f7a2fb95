# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The answers of a call in OpenAPI: the contract's envelope around its data, or around an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge.errors import (
    BodyTooLarge,
    Conflict,
    ContractError,
    Forbidden,
    HeadersTooLarge,
    InternalError,
    InvalidInput,
    NotFound,
    RequestTimeout,
    TooMany,
    Unauthorized,
    Unavailable,
)
from edge.rest.described import Errors
from edge.rest.openapi.components import Components

ANYWHERE: Final[Errors] = dict.fromkeys(
    (InvalidInput, RequestTimeout, BodyTooLarge, TooMany, HeadersTooLarge, InternalError)
)
"""What any request can meet: malformed HTTP, limits and quotas, a fault of ours."""

DOORS: Final[Errors] = dict.fromkeys((Unauthorized, Forbidden))
"""What a caller can meet where its rights are asked for."""

REASONS: Final[Mapping[type[ContractError], str]] = {
    InvalidInput: "request_id: object missing required field",
    Unauthorized: "write: no key was sent: this needs a key with the scope write",
    Forbidden: "key reader lacks the scope write",
    NotFound: "request_id: 'demo-1' is unknown here: never reported, or over and forgotten",
    RequestTimeout: "no complete request within 10 seconds",
    Conflict: "match: the engine's row is another",
    BodyTooLarge: "body: expected at most 4194304 bytes",
    TooMany: "requests: this node holds its most, 4000000",
    HeadersTooLarge: "head: expected at most 32768 bytes",
    InternalError: "the log has the cause, under this trace id",
    Unavailable: "not ready: `data` names the part that is not ok",
}
"""Examples."""

TRACE: Final = {"type": "string", "minLength": 1, "description": "The request's `TraceId`, or a fresh UUID."}
TRACE_ID: Final = "c6f95554-930c-40c6-88cb-a003280f0e6c"


ETAG: Final = {
    "description": "Names this answer of this node, for `If-None-Match`.",
    "required": True,
    "schema": {"type": "string"},
    "example": 'W/"8a5bd11ac9f0-2-1f"',
}

AUTHENTICATE: Final = {"description": "How to send a key.", "required": True, "schema": {"const": "Bearer"}}


def responses(
    components: Components, output: Any, errors: Errors, *, tagged: bool = False, doors: Errors = DOORS
) -> dict[str, Any]:
    """Return the answers by status: a 200 with `output` as its data, and its errors.

    `tagged`: with an ETag.
    `doors`: the errors of a caller that is not let in.
    """
    ok = {"status": "OK", "error": None, "data": components.example(output), "trace_id": TRACE_ID}
    schema = _envelope(components, "OK", {"type": "null"}, components.schema(output))
    words = "Done." if output is None else "As asked, in `data`."
    done = _response(components, words, {"schema": schema, "example": ok})
    answers: dict[str, Any] = {"200": components.put("responses", "Done", done) if output is None else done}
    if tagged:
        etag = components.put("headers", "ETag", ETAG)
        answers["200"]["headers"]["ETag"] = etag
        unchanged = _response(components, "As it was: what `If-None-Match` names stands.", None)
        unchanged["headers"]["ETag"] = etag
        answers["304"] = components.put("responses", "NotModified", unchanged)
    by_status: dict[int, dict[type[ContractError], Any]] = {}
    for error, data in sorted({**ANYWHERE, **doors, **errors}.items(), key=lambda each: each[0].code):
        by_status.setdefault(error.code // 100000, {})[error] = data
    for status, alike in by_status.items():
        response = _refusal(components, alike)
        if status == Unauthorized.code // 100000:
            response["headers"]["WWW-Authenticate"] = components.put("headers", "Authenticate", AUTHENTICATE)
        shared = list(alike.values()) == [None]  # the same at any call
        answers[str(status)] = components.put("responses", next(iter(alike)).__name__, response) if shared else response
    return answers


def _refusal(components: Components, errors: Errors) -> dict[str, Any]:
    """Return the errors of one status."""
    schemas: list[dict[str, Any]] = []
    examples: dict[str, Any] = {}
    value: dict[str, Any] = {}
    for error, data in errors.items():
        problem = {"code": error.code, "message": error.message, "reason": REASONS.get(error, "")}
        value = {"status": "ERROR", "error": problem, "data": components.example(data), "trace_id": TRACE_ID}
        examples[error.__name__] = {"value": value}
        members = {
            "code": {"const": error.code},
            "message": {"const": error.message, "description": "Never changes."},
            "reason": {"type": "string", "description": "For people: what is wrong, and what was expected."},
        }
        fault = {"type": "object", "properties": members, "required": list(members)}
        schemas.append(_envelope(components, "ERROR", fault, components.schema(data)))
    words = "; ".join(f"{error.message} ({error.code})" for error in errors)
    content = {"schema": {"oneOf": schemas}, "examples": examples}
    if len(schemas) == 1:
        content = {"schema": schemas[0], "example": value}
    return _response(components, words[:1].upper() + words[1:] + ".", content)


def _envelope(components: Components, status: str, error: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    members = {
        "status": {"const": status},
        "error": error,
        "data": data,
        "trace_id": components.put("schemas", "TraceId", TRACE),
    }
    return {"type": "object", "properties": members, "required": list(members)}


def _response(components: Components, words: str, content: Mapping[str, Any] | None) -> dict[str, Any]:
    header = {
        "description": "As `trace_id` in the body. The access log has it too.",
        "required": True,
        "schema": components.put("schemas", "TraceId", TRACE),
    }
    return {
        "description": words,
        "headers": {"X-Trace-ID": components.put("headers", "TraceId", header)},
        **({} if content is None else {"content": {"application/json": content}}),
    }

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The document where programs find it, and Swagger UI on it for people. Runs on Django's threads."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from edge.errors import InvalidInput
from edge.pages import CONTENT_SECURITY_POLICY, page, problem_response
from edge.rest.openapi.document import as_json, as_yaml, document

FORMATS = {
    "application/json": "json",
    "application/vnd.oai.openapi+json": "json",
    "application/yaml": "yaml",
    "application/vnd.oai.openapi": "yaml",
    "text/yaml": "yaml",
}

POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")  # Swagger UI's style has its icons


@page
def schema(request: HttpRequest) -> HttpResponse:
    """`GET /schema/`: OpenAPI 3.1 as JSON or YAML, by `?format=` or else by `Accept`."""
    asked = request.GET.get("format")
    media_type = request.get_preferred_type(list(FORMATS)) or "application/json"
    if asked is None:
        asked = FORMATS[media_type]
    elif asked not in FORMATS.values():
        return problem_response(request, InvalidInput(f"format: expected json or yaml, got {asked[:40]!r}"))
    elif asked != FORMATS[media_type]:
        media_type = f"application/{asked}"
    body = as_json(document()) if asked == "json" else as_yaml(document())
    return HttpResponse(body, content_type=media_type, headers={"Vary": "Accept"})


@page
def docs(request: HttpRequest) -> HttpResponse:
    """`GET /docs/`: every call, with a form that calls this node."""
    response = render(request, "edge/docs.html")
    response["Content-Security-Policy"] = POLICY
    return response

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The document where programs find it, and Swagger UI on it for people. Runs on Django's threads."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from edge.errors import InvalidInput
from edge.kept_pages import MadeOnce
from edge.pages import CONTENT_SECURITY_POLICY, page, problem_response
from edge.rest.openapi.document import as_json, as_yaml, document
from runtime.running import made_once

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
    make = {"json": as_json, "yaml": as_yaml}[asked]
    body = made_once(f"openapi {asked}", lambda: make(document()))
    return HttpResponse(body, content_type=media_type, headers={"Vary": "Accept"})


@page
def docs(request: HttpRequest) -> HttpResponse:
    """`GET /docs/`: every call, with a form that calls this node."""
    response = MadeOnce(render_to_string("edge/docs.html", request=request))
    response["Content-Security-Policy"] = POLICY
    return response

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The forms of a page: one for each method, filled with the values of the last call. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from rest_framework.renderers import HTMLFormRenderer
from rest_framework.serializers import Serializer

from edge.rest.described import Described
from edge.rest.description import summary
from edge.rest.serializer import serializer_of


class MethodForm(Struct, frozen=True):
    """One method's form.

    `fields`: its inputs as HTML.
    `body`: the same values as JSON, if the call has nothing but a body.
    """

    method: str
    summary: str
    fields: str = ""
    body: str = ""


def forms(view: Described) -> list[MethodForm]:
    """Return a form for each method of the view."""
    return [_form(view, method, struct) for method, struct in view.inputs.items()]


def _form(view: Described, method: str, struct: type[Struct] | None) -> MethodForm:
    words = summary(view, method)
    if struct is None:
        return MethodForm(method, words)
    serializer: Serializer[Any] = serializer_of(struct)()
    for name, value in {**view.examples, **view.sent}.items():
        if name in serializer.fields:
            serializer.fields[name].initial = value
    shown = view.refused.get(method, serializer)
    fields = HTMLFormRenderer().render(shown.data, renderer_context={"style": {"template_pack": PACK}})
    alone = method != "GET" and not any(field.style.get("header") for field in serializer.fields.values())
    return MethodForm(method, words, fields, _json(serializer) if alone else "")


PACK = "edge/fields"


def _json(serializer: Serializer[Any]) -> str:
    """Return the initial values as JSON, indented for editing."""
    members = {name: value for name, value in serializer.get_initial().items() if value not in (None, "")}
    return msgspec.json.format(msgspec.json.encode(members), indent=2).decode()

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of a URL for people: each method, with the text of its handler's docstring and its members. Pure."""

from __future__ import annotations

from inspect import getdoc
from re import DOTALL
from re import compile as regex
from typing import Any

from rest_framework.metadata import SimpleMetadata

from edge.rest.described import Described
from edge.rest.serializer import serializer_of

_words = regex(r"(?:`[A-Z]+ [^`]+`: )?(.*?)(?:\n\n(.*))?", DOTALL).fullmatch


def describe(view: Described) -> dict[str, Any]:
    """Return the answer to OPTIONS."""
    lookup = SimpleMetadata()
    methods: dict[str, Any] = {}
    for method, struct in view.inputs.items():
        members = {} if struct is None else lookup.get_serializer_info(serializer_of(struct)())
        methods[method] = {"description": summary(view, method), "members": members}
    return {"description": purpose(view), "methods": methods}


def purpose(view: Described) -> str:
    """Return the viewset's docstring on one line."""
    return " ".join((getdoc(type(view)) or "").split())


def summary(view: Described, method: str) -> str:
    """Return what a method does: the first paragraph of its handler's docstring, without its opening call."""
    found = _words(getdoc(view.route(method).handler) or "")
    text = " ".join(found[1].split()) if found else ""
    return text[:1].upper() + text[1:]


def headline(view: Described, method: str) -> str:
    """Return the summary's first sentence, without its full stop."""
    return summary(view, method).partition(". ")[0].rstrip(".")


def details(view: Described, method: str) -> str:
    """Return the rest of the handler's docstring, or else what the URL is for."""
    found = _words(getdoc(view.route(method).handler) or "")
    paragraphs = (summary(view, method).partition(". ")[2], found[2] if found else "")
    return "\n\n".join(filter(None, paragraphs)) or purpose(view)

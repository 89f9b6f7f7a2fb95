# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a page and the OpenAPI document read of a viewset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from msgspec import Struct
from rest_framework.serializers import Serializer

from edge.call import Route
from edge.errors import ContractError

Errors = Mapping[type[ContractError], Any]
"""Errors that a call may be answered with, and the types of the data beside them; None if there are no data."""


class Described(Protocol):
    """One URL and its methods.

    `path`: the URL's path.
    `inputs`: by method, the struct that a call takes; None where it takes nothing.
    `outputs`: by method, the type of the answer's `data`; None for null.
    `errors`: by method, the errors that only some calls have.
    `tagged`: the methods whose answers have an `ETag`.
    `examples`: values of members by name.
    `sent`: what the last call sent, by member.
    `refused`: by method, the form that was refused before the call.
    """

    path: ClassVar[str]
    inputs: ClassVar[Mapping[str, type[Struct] | None]]
    outputs: ClassVar[Mapping[str, Any]]
    errors: ClassVar[Mapping[str, Errors]]
    tagged: ClassVar[frozenset[str]]
    examples: ClassVar[Mapping[str, Any]]
    sent: Mapping[str, Any]
    refused: dict[str, Serializer[Any]]

    def route(self, method: str) -> Route:
        """Return the running node's route for this method."""
        ...

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls as an OpenAPI 3.1 document: drf-spectacular finds the views, the handlers' msgspec structs say the rest."""

from edge.rest.openapi.operation import HandlerSchema

__all__ = ["HandlerSchema"]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handlers for people, on Django REST framework: the same calls on the same URLs, with pages whose forms work."""

from edge.rest.viewset import HandlerViewSet

__all__ = ["HandlerViewSet"]

# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM chooses engines by their live load. Needs the extra `litellm`."""

from metadata_center_client.litellm_routing.routing import LoadRouting

__all__ = ["LoadRouting"]

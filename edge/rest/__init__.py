# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handlers on REST framework: pages with forms on the same URLs, and OpenAPI."""

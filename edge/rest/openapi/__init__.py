# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls as an OpenAPI document, from the handlers and their structs."""
